/**
 * Finds the one credential in a request: `Authorization: Bearer` (RFC 6750, section 2.1), `X-API-Key`, or a
 * configured legacy header. Two of them are refused, the same one twice too: a proxy in front may have checked the
 * other one (RFC 6750, section 2: "must not use more than one method").
 */
import { denial, type Denial } from './denial.ts'
import { MAX_CREDENTIAL_LENGTH } from './key-format.ts'

/** A web `Request`, or what looks like one. `url` may be a path. */
export interface WebRequest {
  readonly url: string
  readonly method?: string
  readonly headers: { get(name: string): string | null }
}

/** Node's `IncomingMessage`, or what looks like one. */
export interface NodeRequest {
  /** Path and query as they came, before a router cut anything off. */
  readonly url?: string | undefined
  readonly method?: string | undefined
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn. Node's `headers` drops a repeated `Authorization`; this is where it still shows. */
  readonly rawHeaders?: readonly string[] | undefined
}

export type CredentialRequest = WebRequest | NodeRequest

const DPOP = /^dpop /i
const BEARER = 'Bearer '
const OTHER_SCHEMES: ReadonlySet<string> = new Set(['basic', 'negotiate'])

/** A token presented as `Authorization: DPoP` (RFC 9449, section 7.1), with the proof from the header beside it. */
export interface DpopCredential {
  readonly token: string
  readonly dpop: string
}

/** The credential's text, 1 to 8192 characters of whatever a header may hold, or why there is none to check. */
export function presentedCredential(
  request: CredentialRequest,
  legacyHeader?: string,
): string | DpopCredential | Denial {
  if (isRepeated(request, 'authorization')) return denial('multiple_credentials')
  const authorization = headerOf(request, 'authorization')
  const key = headerOf(request, 'x-api-key')
  const legacy = legacyHeader === undefined ? undefined : headerOf(request, legacyHeader)

  const value = authorization ?? key ?? legacy
  if (value === undefined) return denial('missing')
  const isSecond = authorization !== undefined && key !== undefined
  const isThird = legacy !== undefined && (authorization !== undefined || key !== undefined)
  if (isSecond || isThird || value.includes(',')) return denial('multiple_credentials')
  const text = authorization === undefined ? value : tokenIn(authorization, request)
  if (typeof text !== 'string') return text
  return text === '' || text.length > MAX_CREDENTIAL_LENGTH ? denial('malformed') : text
}

/** RFC 9449, section 4.3: exactly one proof. */
function dpopCredential(request: CredentialRequest, authorization: string): DpopCredential | Denial {
  const token = authorization.slice('dpop '.length).trim()
  if (token === '' || token.length > MAX_CREDENTIAL_LENGTH) return denial('malformed')
  const dpop = headerOf(request, 'dpop')
  if (dpop === undefined) return denial('proof_required')
  // No JWT has a comma: that is two proofs, joined as HTTP does it.
  if (isRepeated(request, 'dpop') || dpop.includes(',')) return denial('proof_invalid')
  return { token, dpop }
}

/** The scheme's name is case-insensitive (RFC 9110, section 11.1). */
function tokenIn(authorization: string, request: CredentialRequest): string | DpopCredential | Denial {
  // As nearly everybody writes it.
  if (authorization.startsWith(BEARER)) return authorization.slice(BEARER.length).trim()
  if (DPOP.test(authorization)) return dpopCredential(request, authorization)
  const space = authorization.indexOf(' ')
  const scheme = (space < 0 ? authorization : authorization.slice(0, space)).toLowerCase()
  if (scheme === 'bearer') return space < 0 ? '' : authorization.slice(space + 1).trim()
  return denial(OTHER_SCHEMES.has(scheme) ? 'unsupported' : 'malformed')
}

/** Whether a browser sent it: pages cannot leave these headers out, and hardly anything else sends them. */
export function isFromBrowser(request: CredentialRequest): boolean {
  return headerOf(request, 'origin') !== undefined || headerOf(request, 'sec-fetch-site') !== undefined
}

/** Undefined when absent; several of one name joined as HTTP does it (RFC 9110, section 5.3). */
function headerOf({ headers }: CredentialRequest, name: string): string | undefined {
  if (typeof headers.get === 'function') return headers.get(name)?.trim() ?? undefined
  const value = (headers as NodeRequest['headers'])[name]
  return typeof value === 'string' || value === undefined ? value : value.join(', ')
}

function isRepeated(request: CredentialRequest, name: string): boolean {
  const raw = 'rawHeaders' in request ? request.rawHeaders : undefined
  if (!raw) return false
  let count = 0
  for (let index = 0; index < raw.length; index += 2) {
    const found = raw[index] as string
    if (found.length === name.length && found.toLowerCase() === name) count++
  }
  return count > 1
}
