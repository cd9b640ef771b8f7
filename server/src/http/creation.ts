/** Answering a creation: once for each Idempotency-Key, the same text again for a repetition. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller } from '../kernel/index.ts'
import { type Idempotency as IdempotencyKey, idempotencyOf } from './idempotency.ts'
import { sendJson } from './declare-route.ts'

/** The store that keeps answers (see storage/idempotency.ts); `Tx` is its transaction. */
export interface OnceStore<Tx> {
  once(
    request: ({ readonly callerId: string } & IdempotencyKey) | undefined,
    work: (tx: Tx) => Promise<{ status: number; body: string }>,
  ): Promise<{ status: number; body: string }>
}

/** Runs `work` in one transaction and sends what it answers, as JSON, with `status`. */
export async function create<Tx>(
  store: OnceStore<Tx>,
  request: FastifyRequest & { readonly caller: Caller },
  reply: FastifyReply,
  status: number,
  work: (tx: Tx) => Promise<unknown>,
): Promise<FastifyReply> {
  const key = idempotencyOf(request)
  const answer = await store.once(key && { callerId: request.caller.id, ...key }, async (tx) => ({
    status,
    body: JSON.stringify(await work(tx)),
  }))
  return sendJson(reply.status(answer.status), answer.body)
}
