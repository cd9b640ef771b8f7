/**
 * The Idempotency-Key header (draft-ietf-httpapi-idempotency-key-header): its syntax, and the digest that tells the same
 * request sent twice from another one under the same key. Storing the answer is the domain's, in its own transaction.
 */
import { createHash } from 'node:crypto'
import { invalid } from '../kernel/index.ts'
import type { FastifyRequest } from 'fastify'

export interface Idempotency {
  /** 1 to 255 visible ASCII characters; the quotes of a structured-field string are taken off. */
  readonly key: string
  /** SHA-256, hex, over method, URL and the body's bytes as they came. */
  readonly bodyDigest: string
}

const VISIBLE = /^[\x21-\x7E]{1,255}$/

/** Undefined when the request has no Idempotency-Key, or its route was not declared `idempotent`. */
export function idempotencyOf(request: FastifyRequest): Idempotency | undefined {
  const key = request.idempotencyKey
  if (key === undefined) return undefined
  const bodyDigest = createHash('sha256')
    .update(`${request.method} ${request.url}\n`)
    .update(request.rawBody ?? '')
    .digest('hex')
  return { key, bodyDigest }
}

/** Checks the header before the body is read. */
export function readIdempotencyKey(request: FastifyRequest): void {
  const header = request.headers['idempotency-key']
  if (header === undefined) return
  const text = Array.isArray(header) ? header.join(', ') : header
  const key = /^"(.*)"$/.exec(text)?.[1] ?? text
  if (!VISIBLE.test(key))
    throw invalid('', 'Idempotency-Key must be 1 to 255 visible ASCII characters, without spaces.')
  request.idempotencyKey = key
}
