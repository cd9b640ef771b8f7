/**
 * A Denial as an HTTP answer: the status, the challenge (RFC 6750, 9449, 9470 and 9728) and a problem document (RFC
 * 9457).
 * Every adapter answers with this; a framework without an adapter can, too.
 */
import { DENIALS, type Denial, type DenialCode } from './denial.ts'
import type { ProtectedResource } from './protected-resource.ts'

/** The body, as `application/problem+json`. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  /** Stable, for programs. */
  readonly code: DenialCode
  /** For people. */
  readonly detail: string
}

export interface Refusal {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Problem
}

export interface RefusalOptions {
  /** Names what is protected, in the challenge. */
  readonly realm: string
  /** What this API says of itself to OAuth clients: the challenge then tells them where to read it. */
  readonly protectedResource?: Pick<ProtectedResource, 'metadataUrl' | 'dpopAlgorithms'> | undefined
  /** What the route needs: a hint for an OAuth client that has no token yet (RFC 6750, section 3). */
  readonly scopes?: readonly string[]
}

/** With `about:blank` the title is the status's own phrase (RFC 9457, section 4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
}

export function refusal(denial: Denial, options: RefusalOptions): Refusal {
  const { status } = DENIALS[denial.code]
  const challenge = challengeOf(denial, status, options)
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(challenge === undefined ? {} : { 'www-authenticate': challenge }),
      ...(status === 429 || status === 503 ? { 'retry-after': retryAfter(denial) } : {}),
    },
    body: {
      type: 'about:blank',
      title: TITLES[status] ?? '',
      status,
      code: denial.code,
      detail: denial.detail,
    },
  }
}

/**
 * Every 401 has a challenge (RFC 9110, section 15.5.2), a 403 only where more scope would help. `Bearer` comes first:
 * clients that read one challenge only look for it there.
 */
function challengeOf(denial: Denial, status: number, options: RefusalOptions): string | undefined {
  if (status !== 401 && denial.code !== 'insufficient_scope') return undefined
  const { realm, protectedResource } = options
  const aboutProof = denial.code === 'proof_required' || denial.code === 'proof_invalid'
  const bearer = [
    `Bearer realm=${quoted(realm)}`,
    ...(aboutProof ? [] : faultOf(denial)),
    ...scopeOf(denial, options),
    ...signInOf(denial),
    ...(protectedResource ? [`resource_metadata=${quoted(protectedResource.metadataUrl)}`] : []),
  ]
  return [...bearer, ...dpopOf(denial, options, aboutProof)].join(', ')
}

/** RFC 6750, section 3.1: who presented nothing is told of no error. */
function faultOf(denial: Denial): string[] {
  if (denial.code === 'missing') return []
  return [`error="${errorOf(denial.code)}"`, `error_description=${quoted(denial.detail)}`]
}

/** RFC 9470, section 3 has a name of its own for a sign-in that was too weak or too long ago. */
function errorOf(code: DenialCode): string {
  if (code === 'insufficient_scope') return code
  if (code === 'proof_invalid') return 'invalid_dpop_proof'
  return code === 'insufficient_authentication' ? 'insufficient_user_authentication' : 'invalid_token'
}

/** What a token has to have. Nothing asks for it with a key alone, so that the hint is for OAuth clients. */
function scopeOf(denial: Denial, { scopes, protectedResource }: RefusalOptions): string[] {
  const needed = denial.code === 'insufficient_scope' ? denial.scopes : protectedResource && scopes
  return needed?.length ? [`scope=${quoted(needed.join(' '))}`] : []
}

/** RFC 9470, section 3: what the next sign-in has to be. */
function signInOf({ code, acrValues, maxAgeSeconds }: Denial): string[] {
  if (code !== 'insufficient_authentication') return []
  return [
    ...(acrValues?.length ? [`acr_values=${quoted(acrValues.join(' '))}`] : []),
    ...(maxAgeSeconds === undefined ? [] : [`max_age="${Math.max(0, Math.floor(maxAgeSeconds))}"`]),
  ]
}

/** RFC 9449, section 7.1: what is wrong with the proof, and the algorithms that a proof may have. */
function dpopOf(denial: Denial, { realm, protectedResource }: RefusalOptions, aboutProof: boolean): string[] {
  const algorithms = protectedResource?.dpopAlgorithms
  const algs = algorithms?.length ? `algs=${quoted(algorithms.join(' '))}` : undefined
  if (aboutProof)
    return [`DPoP realm=${quoted(realm)}`, ...faultOf(denial), ...(algs === undefined ? [] : [algs])]
  return algs === undefined || denial.code === 'insufficient_scope' ? [] : [`DPoP ${algs}`]
}

function retryAfter({ retryAfterSeconds = 1 }: Denial): string {
  return String(Math.max(1, Math.ceil(retryAfterSeconds)))
}

/** A quoted-string; characters outside printable ASCII cannot stand in a header and become "?". */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
