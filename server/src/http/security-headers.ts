/**
 * What every answer carries. API answers are never stored or sniffed, and may load nothing when opened in a browser;
 * pages bring their own Content-Security-Policy, which replaces this one.
 */
import type { FastifyReply } from 'fastify'

const STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'"

/** For answers written to a bare socket, where there is no reply object. */
export const API_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': STRICT_POLICY,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** One call a header, spelled out: this runs on every request, and a loop over an object costs more. */
export function setApiHeaders(reply: FastifyReply, requestId: string): void {
  reply.header('cache-control', 'no-store')
  reply.header('content-security-policy', STRICT_POLICY)
  reply.header('referrer-policy', 'no-referrer')
  reply.header('x-content-type-options', 'nosniff')
  reply.header('x-request-id', requestId)
}
