/**
 * A Denial as an HTTP answer: the status, the challenge (RFC 6750, section 3) and a problem document (RFC 9457).
 * Every adapter answers with this; a framework without an adapter can, too.
 */
import { DENIALS, type Denial, type DenialCode } from './denial.ts'

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
}

/** With `about:blank` the title is the status's own phrase (RFC 9457, section 4.2.1). */
const TITLES: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
}

export function refusal(denial: Denial, { realm }: RefusalOptions): Refusal {
  const { status } = DENIALS[denial.code]
  const challenge = challengeOf(denial, status, realm)
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

/** Every 401 has a challenge (RFC 9110, section 15.5.2), a 403 only where more scope would help. */
function challengeOf(denial: Denial, status: number, realm: string): string | undefined {
  const parameters = [`Bearer realm=${quoted(realm)}`]
  if (denial.code === 'insufficient_scope') {
    parameters.push('error="insufficient_scope"', `error_description=${quoted(denial.detail)}`)
    if (denial.scopes?.length) parameters.push(`scope=${quoted(denial.scopes.join(' '))}`)
  } else if (status !== 401) {
    return undefined
  } else if (denial.code !== 'missing') {
    // RFC 6750, section 3.1: who presented nothing is told of no error.
    parameters.push(`error="${errorOf(denial.code)}"`, `error_description=${quoted(denial.detail)}`)
  }
  return parameters.join(', ')
}

/** RFC 9470, section 3 has a name of its own for a sign-in that was too weak or too long ago. */
function errorOf(code: DenialCode): string {
  return code === 'insufficient_authentication' ? 'insufficient_user_authentication' : 'invalid_token'
}

function retryAfter({ retryAfterSeconds = 1 }: Denial): string {
  return String(Math.max(1, Math.ceil(retryAfterSeconds)))
}

/** A quoted-string; characters outside printable ASCII cannot stand in a header and become "?". */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
