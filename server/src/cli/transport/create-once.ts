/**
 * Creations that survive a lost answer: an Idempotency-Key makes the repetition get the first answer again, so that no
 * key is issued and never seen.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApiClient, ApiRefusal, ApiUnreachable, call } from './api-client.ts'

const ATTEMPTS = 4

export async function createOnce<T>(client: ApiClient, path: string, body: unknown): Promise<T> {
  const headers = { 'idempotency-key': randomUUID() }
  return withPatience(() => call<T>(client, 'POST', path, { body, headers }), ATTEMPTS)
}

/** Repeats `work`, which must be safe to repeat, while the server is away or too busy; waits longer each time. */
export async function withPatience<T>(work: () => Promise<T>, attempts: number): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (attempt >= attempts || !isPassing(error)) throw error
      await sleep(100 * 2 ** attempt)
    }
  }
}

/** A connection that was there for a moment; what is refused or unknown from the start does not come by waiting. */
const PASSING_REASONS = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Whether the same request may well succeed in a moment. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ApiUnreachable) return error.wasReached || PASSING_REASONS.has(error.reason)
  if (!(error instanceof ApiRefusal)) return false
  return [429, 502, 503, 504].includes(error.status) || error.problem?.code === 'idempotency_in_flight'
}
