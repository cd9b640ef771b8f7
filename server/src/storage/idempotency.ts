/**
 * Idempotent creations: the answer is kept, sealed under the Idempotency-Key itself, in the creating transaction. A
 * repetition gets the same answer for 24 hours; nobody who reads the database can read a key out of it.
 */
import { createHash } from 'node:crypto'
import { type Clock, deriveKey, open, PosternError, seal } from '../kernel/index.ts'
import type { Transaction } from './group-writer.ts'
import { UniqueViolation } from './sql-connection.ts'
import type { Storage } from './storage.ts'

const KEEP_MS = 86_400_000

export interface IdempotentRequest {
  /** Who asks: the same key of two callers is two requests. */
  readonly callerId: string
  readonly key: string
  /** SHA-256 of method, URL and body. */
  readonly bodyDigest: string
}

export interface Answer {
  readonly status: number
  /** What was sent, as text. */
  readonly body: string
}

interface Tables {
  idempotency: {
    id: string
    chunk: number
    body_digest: string
    status: number
    sealed: string
    expires_at: number
  }
}

export class Idempotency {
  readonly #storage: Storage
  readonly #rootSecret: string
  readonly #clock: Clock
  readonly #inFlight = new Set<string>()

  constructor(storage: Storage, rootSecret: string, clock: Clock) {
    this.#storage = storage
    this.#rootSecret = rootSecret
    this.#clock = clock
  }

  /**
   * Runs `work` in a transaction, once for each request. Without a request it just runs. Throws
   * `idempotency_mismatch` for another body under the same key and `idempotency_in_flight` while the first is running.
   */
  async once(
    request: IdempotentRequest | undefined,
    work: (tx: Transaction) => Promise<Answer>,
  ): Promise<Answer> {
    if (!request) return this.#storage.write(work)
    return this.exclusively(request, async () => {
      const [known] = await this.replay(request)
      if (known) return known
      try {
        return await this.#storage.write(async (tx) => {
          const answer = await work(tx)
          await this.keep(tx, request, 0, answer)
          return answer
        })
      } catch (error) {
        // Another process finished the same request first: its answer is the answer. The collision shows in what is
        // kept here, or before that in what the work creates or changes.
        const collided = error instanceof UniqueViolation || codeOf(error) === 'conflict'
        const [first] = collided ? await this.replay(request) : []
        if (first) return first
        throw error
      }
    })
  }

  /** Holds the request for this process while `work` runs. */
  async exclusively<T>(request: IdempotentRequest, work: () => Promise<T>): Promise<T> {
    const release = this.hold(request)
    try {
      return await work()
    } finally {
      release()
    }
  }

  /** Holds the request for this process until the answer is called: for an answer that is a stream. */
  hold(request: IdempotentRequest): () => void {
    const id = idOf(request)
    if (this.#inFlight.has(id))
      throw new PosternError('idempotency_in_flight', 'Wait for the first answer, then repeat.', {
        retryAfterSeconds: 1,
      })
    this.#inFlight.add(id)
    return () => this.#inFlight.delete(id)
  }

  /** What was answered before, chunk by chunk; empty when the request is new. */
  async replay(request: IdempotentRequest): Promise<Answer[]> {
    const id = idOf(request)
    const rows = await this.#storage
      .read<Tables>()
      .selectFrom('idempotency')
      .selectAll()
      .where('id', '=', id)
      .where('expires_at', '>', this.#clock.nowMs())
      .orderBy('chunk')
      .execute()
    if (rows.some((row) => row.body_digest !== request.bodyDigest))
      throw new PosternError('idempotency_mismatch', 'Use a new Idempotency-Key for another request.')
    return rows.map((row) => ({
      status: row.status,
      body: open(this.#sealingKey(request), row.sealed, `${id} ${row.chunk}`).toString(),
    }))
  }

  /** Keeps one chunk of the answer in the transaction that does the work. */
  async keep(tx: Transaction, request: IdempotentRequest, chunk: number, answer: Answer): Promise<void> {
    const id = idOf(request)
    const db = tx.over<Tables>()
    // One that has expired but was not yet swept away makes room.
    await db
      .deleteFrom('idempotency')
      .where('id', '=', id)
      .where('expires_at', '<=', this.#clock.nowMs())
      .execute()
    await db
      .insertInto('idempotency')
      .values({
        id,
        chunk,
        body_digest: request.bodyDigest,
        status: answer.status,
        sealed: seal(this.#sealingKey(request), answer.body, `${id} ${chunk}`),
        expires_at: this.#clock.nowMs() + KEEP_MS,
      })
      .execute()
  }

  /** Sweeps expired answers, a batch at a time. */
  async purge(): Promise<void> {
    await this.#storage.write(async (tx) => {
      await tx
        .over<Tables>()
        .deleteFrom('idempotency')
        .where('expires_at', '<=', this.#clock.nowMs())
        .execute()
    })
  }

  #sealingKey(request: IdempotentRequest): Buffer {
    return deriveKey(this.#rootSecret, `idempotency ${request.callerId} ${request.key}`)
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof PosternError ? error.code : undefined
}

/** The key itself is not stored: it unseals the answer. */
function idOf({ callerId, key }: IdempotentRequest): string {
  return createHash('sha256')
    .update(JSON.stringify([callerId, key]))
    .digest('base64url')
}

/** Forgets every answer: they were sealed under a root secret that is gone. */
export async function forgetIdempotentAnswers(tx: Transaction): Promise<void> {
  await tx.over<Tables>().deleteFrom('idempotency').execute()
}
