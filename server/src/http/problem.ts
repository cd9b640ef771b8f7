/**
 * Every refusal and failure as an RFC 9457 problem. `type` is an anchor of this server's own error page, so that the
 * explanation is one click away; `instance` names the request as the log does. A 5xx says nothing about its cause: that
 * is for the log.
 */
import { DENIALS, ERRORS, PosternError, PROOF_ALGORITHMS, redactCredentials } from '../kernel/index.ts'
import type { Denial, DenialCode, ErrorCode, ErrorMembers } from '../kernel/index.ts'

export interface Problem {
  readonly status: number
  readonly code: ErrorCode | DenialCode
  readonly title: string
  readonly detail: string
  readonly errors?: ErrorMembers['errors']
  readonly headers: Readonly<Record<string, string>>
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** The body of `problem`, as text. Credentials that a detail repeats are cut out. */
export function problemText(problem: Problem, requestId: string): string {
  return redactCredentials(
    JSON.stringify({
      type: `/docs/errors#${problem.code}`,
      title: problem.title,
      status: problem.status,
      code: problem.code,
      detail: problem.detail,
      instance: `urn:postern:request:${requestId}`,
      errors: problem.errors,
    }),
  )
}

/** Fastify's own errors, by code. Anything else of Fastify's with a 4xx status is `invalid_request`. */
const FASTIFY_ERRORS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload_too_large', 'The body is larger than this route takes.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'unsupported_media_type',
    'Send the body as application/json, with that Content-Type.',
  ],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: [
    'unsupported_media_type',
    'Say the type of the body: Content-Type: application/json.',
  ],
  FST_ERR_BAD_URL: ['invalid_request', 'The URL has a malformed percent escape.'],
  FST_ERR_MAX_PARAM_LENGTH: ['not_found', 'There is nothing here by that name.'],
  FST_ERR_NOT_FOUND: ['not_found', 'There is nothing here by that name.'],
}

export function problemOf(error: unknown): Problem {
  if (error instanceof PosternError) return ofPosternError(error)
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown }
  const known = typeof code === 'string' ? FASTIFY_ERRORS[code] : undefined
  if (known) return ofPosternError(new PosternError(...known))
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return ofPosternError(new PosternError('invalid_request', 'The request could not be read.'))
  return ofPosternError(
    new PosternError(
      'internal_error',
      'Something went wrong on our side. The log has the cause by the request id.',
    ),
  )
}

function ofPosternError(error: PosternError): Problem {
  const retryAfter = error.members.retryAfterSeconds ?? (error.status === 503 ? 5 : undefined)
  return {
    status: error.status,
    code: error.code,
    title: ERRORS[error.code].title,
    detail: error.message,
    ...(error.members.errors && { errors: error.members.errors }),
    headers: {
      ...(retryAfter !== undefined && { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
      ...(error.status === 401 && { 'www-authenticate': challenge('invalid_token', error.message) }),
    },
  }
}

const TITLES: Readonly<Record<number, string>> = {
  401: ERRORS.unauthorized.title,
  403: ERRORS.forbidden.title,
  429: ERRORS.too_many_requests.title,
  503: 'The credential cannot be checked right now',
}

export function problemOfDenial(denial: Denial): Problem {
  const { status } = DENIALS[denial.code]
  return {
    status,
    code: denial.code,
    title: TITLES[status] ?? ERRORS.unauthorized.title,
    detail: denial.detail,
    headers: {
      ...(status === 401 && {
        'www-authenticate':
          denial.code === 'missing'
            ? challenge()
            : (proofChallenge(denial) ??
              stepUpChallenge(denial) ??
              challenge('invalid_token', denial.detail)),
      }),
      ...(denial.code === 'insufficient_scope' && {
        'www-authenticate': challenge('insufficient_scope', denial.detail, denial.scopes),
      }),
      ...((status === 429 || status === 503) && {
        'retry-after': String(Math.max(1, Math.ceil(denial.retryAfterSeconds ?? (status === 429 ? 1 : 5)))),
      }),
    },
  }
}

/** RFC 6750, section 3: without any credential in the request, no error code and no description. */
function challenge(error?: string, description?: string, scopes?: readonly string[]): string {
  let text = 'Bearer realm="postern"'
  if (error) text += `, error="${error}"`
  if (description) text += `, error_description="${quotable(description)}"`
  if (scopes && scopes.length > 0) text += `, scope="${quotable(scopes.join(' '))}"`
  return text
}

/** RFC 9449, section 7.1: which scheme the credential needs, and with which algorithms a proof may be signed. */
function proofChallenge({ code, detail }: Denial): string | undefined {
  if (code !== 'proof_required' && code !== 'proof_invalid') return undefined
  const error = code === 'proof_invalid' ? 'invalid_dpop_proof' : 'invalid_token'
  const algs = PROOF_ALGORITHMS.join(' ')
  return `DPoP realm="postern", error="${error}", error_description="${quotable(detail)}", algs="${algs}"`
}

/** RFC 9470, section 3: what was asked of the sign-in. */
function stepUpChallenge({ code, detail, acrValues = [], maxAgeSeconds }: Denial): string | undefined {
  if (code !== 'insufficient_authentication') return undefined
  let text = challenge('insufficient_user_authentication', detail)
  if (acrValues.length > 0) text += `, acr_values="${quotable(acrValues.join(' '))}"`
  if (maxAgeSeconds !== undefined) text += `, max_age="${maxAgeSeconds}"`
  return text
}

/** RFC 6750 allows printable ASCII without `"` and `\` in these values. */
function quotable(text: string): string {
  return redactCredentials(text).replace(/[^\x20\x21\x23-\x5B\x5D-\x7E]/g, '')
}
