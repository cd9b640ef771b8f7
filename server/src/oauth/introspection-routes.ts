/**
 * Introspection for whoever holds an operator key with the scope `verify` (RFC 7662, section 2.1: "a separate OAuth 2.0
 * access token"): a gateway that speaks RFC 7662 needs no client of its own. Clients authenticate at the engine.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseForm } from '../http/index.ts'
import type { Caller } from '../kernel/index.ts'
import { withEvidence } from './evidence.ts'
import { introspectFor } from './introspection.ts'
import type { OAuthPorts } from './ports.ts'

const LARGEST_BYTES = 65_536

export function hasBearer({ headers }: FastifyRequest): boolean {
  return /^Bearer\b/i.test(headers.authorization ?? '')
}

export async function introspectAsVerifier(
  ports: OAuthPorts,
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.header('cache-control', 'no-store')
  const token = await tokenOf(request)
  if (token === undefined)
    return reply
      .status(400)
      .send({ error: 'invalid_request', error_description: 'a form with one parameter token is needed' })
  const about = { ip: request.ip, requestId: request.id, route: '/introspect' }
  return reply.send(await withEvidence(ports.storage, about, () => introspectFor(ports, caller, token)))
}

/** Undefined for whatever is not a form with a token. */
async function tokenOf({ raw, headers }: FastifyRequest): Promise<string | undefined> {
  if (!/^application\/x-www-form-urlencoded\b/i.test(headers['content-type'] ?? '')) return undefined
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > LARGEST_BYTES) return undefined
    chunks.push(chunk)
  }
  try {
    return parseForm(Buffer.concat(chunks))['token'] || undefined
  } catch {
    return undefined
  }
}
