/** Whether the process lives (`/healthz`), and whether it should get requests (`/readyz`). */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute } from './declare-route.ts'

export interface Readiness {
  readonly ok: boolean
  /** By name: `database`, `feed`. The detail is public: no addresses, no names. */
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>
}

const PATIENCE_MS = 2_000

const Answer = Type.Object({
  status: Type.String({ description: '`ok` or `unavailable`' }),
  checks: Type.Optional(
    Type.Record(Type.String(), Type.Object({ ok: Type.Boolean(), detail: Type.Optional(Type.String()) })),
  ),
})

/** `ready` may fail or hang: both mean not ready. */
export function mountHealth(server: FastifyInstance, ready: () => Promise<Readiness>): void {
  declareRoute(server, {
    method: 'GET',
    url: '/healthz',
    access: { kind: 'public', why: 'says nothing but that the process lives' },
    summary: 'Is the process alive?',
    tags: ['health'],
    schema: { response: { 200: Answer } },
    handler: () => ({ status: 'ok' }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/readyz',
    access: { kind: 'public', why: 'load balancers ask it, and it says only which part is not ready' },
    summary: 'Can it answer requests?',
    description: '503 while the database cannot be used, and while the server is shutting down.',
    tags: ['health'],
    schema: { response: { 200: Answer, 503: Answer } },
    handler: async (request, reply) => {
      const { ok, checks } = request.server.posternHttp.draining
        ? { ok: false, checks: { shutdown: { ok: false, detail: 'shutting down' } } }
        : await withPatience(ready, (error) => request.log.warn({ err: error }, 'the readiness check failed'))
      reply.code(ok ? 200 : 503)
      return { status: ok ? 'ok' : 'unavailable', checks }
    },
  })
}

async function withPatience(
  ready: () => Promise<Readiness>,
  onError: (error: unknown) => void,
): Promise<Readiness> {
  const { promise: late, resolve } = Promise.withResolvers<Readiness>()
  const timer = setTimeout(
    () => resolve({ ok: false, checks: { check: { ok: false, detail: 'no answer in time' } } }),
    PATIENCE_MS,
  )
  try {
    return await Promise.race([ready(), late])
  } catch (error) {
    onError(error)
    return { ok: false, checks: { check: { ok: false, detail: 'the check failed' } } }
  } finally {
    clearTimeout(timer)
  }
}
