/** A refused verify: one code out of a closed set, and a sentence that is safe to show a stranger. */

import type { LimitState } from './rate-limit-headers.ts'

/** The status is the one that an adapter answers with. */
export const DENIALS = {
  missing: { status: 401, detail: 'No credential was presented.' },
  malformed: { status: 401, detail: 'The credential is not in a known form, or has a typing error.' },
  multiple_credentials: { status: 401, detail: 'More than one credential was presented.' },
  exposed_in_url: { status: 401, detail: 'A credential must never be sent in a URL.' },
  exposed_in_browser: { status: 401, detail: 'This API does not take live keys from a browser.' },
  cross_site: { status: 403, detail: 'The session was not used by a page of its own application.' },
  unknown: { status: 401, detail: 'The credential is not known.' },
  expired: { status: 401, detail: 'The credential has expired.' },
  not_yet_valid: { status: 401, detail: 'The credential is not valid yet.' },
  revoked: { status: 401, detail: 'The credential has been revoked.' },
  disabled: { status: 401, detail: 'The credential is disabled.' },
  wrong_resource: { status: 401, detail: 'The credential is for another API.' },
  wrong_tenant: { status: 401, detail: 'The credential belongs to another tenant.' },
  wrong_environment: { status: 401, detail: 'The credential is for another environment.' },
  insufficient_scope: { status: 403, detail: 'The credential lacks a scope that this needs.' },
  insufficient_authentication: { status: 401, detail: 'A stronger or newer sign-in is needed.' },
  ip_not_allowed: { status: 403, detail: 'The credential may not be used from this address.' },
  proof_required: { status: 401, detail: 'The credential needs a proof of possession.' },
  proof_invalid: { status: 401, detail: 'The proof of possession is not valid.' },
  rate_limited: { status: 429, detail: 'Too many requests; try again later.' },
  quota_exceeded: { status: 429, detail: 'The quota is used up.' },
  stale: { status: 503, detail: 'The verifier has lost contact and refuses to guess.' },
  unavailable: { status: 503, detail: 'The credential cannot be checked right now.' },
  unsupported: { status: 401, detail: 'This kind of credential is not accepted here.' },
} as const

export type DenialCode = keyof typeof DENIALS

export interface Denial {
  readonly valid: false
  readonly code: DenialCode
  /** Safe to show to the caller. */
  readonly detail: string
  /** With `insufficient_scope`: the scopes that were asked for. */
  readonly scopes?: readonly string[]
  /** With `insufficient_authentication`: what was asked of the sign-in (RFC 9470). */
  readonly acrValues?: readonly string[]
  readonly maxAgeSeconds?: number
  /** With 429 and 503: when another attempt makes sense. */
  readonly retryAfterSeconds?: number
  /** With 429: what the limits are at. */
  readonly limits?: readonly LimitState[]
}

export function denial(code: DenialCode, more: Omit<Denial, 'valid' | 'code' | 'detail'> = {}): Denial {
  return { valid: false, code, detail: DENIALS[code].detail, ...more }
}

export function isDenialCode(text: unknown): text is DenialCode {
  return typeof text === 'string' && Object.hasOwn(DENIALS, text)
}
