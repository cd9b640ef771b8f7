/** The token endpoint: what is plain is granted at once (see plain-client-credentials.ts); the engine answers the rest. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { parseForm } from '../http/index.ts'
import { ROUTES } from './endpoints.ts'
import { noteIssued } from './engine-events.ts'
import type { LazyEngine } from './lazy-engine.ts'
import type { PlainRequest, PlainToken } from './plain-client-credentials.ts'
import type { OAuthPorts } from './ports.ts'
import { giveBack, readSmallBody } from './small-body.ts'

const FORM = /^application\/x-www-form-urlencoded(?:; ?charset=utf-8)?$/i

/** Headers that turn a request into one that only the engine understands. */
const UNUSUAL = ['dpop', 'origin', 'oauth-client-attestation', 'oauth-client-attestation-pop']

/** True when it has answered. */
export async function answerPlainly(
  lazy: LazyEngine,
  ports: OAuthPorts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<boolean> {
  const { headers, raw } = request
  if (!FORM.test(headers['content-type'] ?? '') || UNUSUAL.some((name) => headers[name] !== undefined))
    return false
  const reading = readSmallBody(raw)
  if (!reading) return false
  const body = await reading
  const granted = await grant(lazy, { authorization: headers.authorization, form: formOf(body) })
  if (!granted) {
    giveBack(raw, body)
    return false
  }
  const { ip } = request
  const route = request.routeOptions.url ?? ROUTES.token
  noteIssued(ports, { ip, route }, granted.client, 'client_credentials')
  send(reply, JSON.stringify(granted.body))
  return true
}

/** What fails here fails for the engine as well, and is said there. */
async function grant(lazy: LazyEngine, request: PlainRequest): Promise<PlainToken | undefined> {
  try {
    return await (await lazy.load()).grantPlainly(request)
  } catch {
    return undefined
  }
}

/** Empty for what is not a strict form. */
function formOf(body: Buffer): Readonly<Record<string, string>> {
  try {
    return parseForm(body)
  } catch {
    return {}
  }
}

/** In one write, with the headers of the engine's own answer. */
function send(reply: FastifyReply, text: string): void {
  reply.hijack()
  reply.raw.writeHead(200, [
    'x-request-id',
    reply.request.id,
    'x-content-type-options',
    'nosniff',
    'x-frame-options',
    'DENY',
    'referrer-policy',
    'no-referrer',
    'vary',
    'Origin',
    'access-control-allow-origin',
    '*',
    'access-control-expose-headers',
    'DPoP-Nonce,WWW-Authenticate',
    'cache-control',
    'no-store',
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(text)),
  ])
  reply.raw.end(text)
}
