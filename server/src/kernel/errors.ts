/**
 * Failures of an operation, as a closed set. Each has a stable code, a status, and a detail that is safe to show a
 * stranger; what the operator needs beyond that is the `cause`, which is logged and never sent.
 */

export const ERRORS = {
  invalid_request: { status: 400, title: 'The request is not valid' },
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_cursor: { status: 400, title: 'The cursor is not one that this list gave out' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body has an unsupported type' },
  header_fields_too_large: { status: 431, title: 'The header fields are too large' },
  unauthorized: { status: 401, title: 'A valid credential is needed' },
  forbidden: { status: 403, title: 'The credential does not allow this' },
  not_found: { status: 404, title: 'There is nothing here by that name' },
  method_not_allowed: { status: 405, title: 'That method is not served here' },
  conflict: { status: 409, title: 'The request collides with what exists' },
  idempotency_in_flight: { status: 409, title: 'A request with this Idempotency-Key is still under way' },
  idempotency_mismatch: { status: 422, title: 'This Idempotency-Key was used with another body' },
  last_operator: { status: 409, title: 'The last deployment operator cannot be removed' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  gateway_not_configured: { status: 503, title: 'The gateway is closed' },
  gateway_untrusted_proxy: { status: 403, title: 'The proxy did not prove itself' },
  gateway_ambiguous: { status: 403, title: 'The request can be read in more than one way' },
  gateway_no_route: { status: 403, title: 'No route allows this request' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  internal_error: { status: 500, title: 'Something went wrong on our side' },
  storage_unavailable: { status: 503, title: 'The database cannot be reached or written right now' },
  upstream_unavailable: { status: 503, title: 'Another service that this needs cannot be reached' },
  shutting_down: { status: 503, title: 'The server is shutting down' },
} as const

export type ErrorCode = keyof typeof ERRORS

export interface ErrorMembers {
  /** Which members of the request are at fault, by name. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
  readonly retryAfterSeconds?: number
  readonly cause?: unknown
}

export class PosternError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly members: ErrorMembers

  constructor(code: ErrorCode, detail: string, members: ErrorMembers = {}) {
    super(detail, members.cause === undefined ? undefined : { cause: members.cause })
    this.name = 'PosternError'
    this.code = code
    this.status = ERRORS[code].status
    this.members = members
  }
}

/** A member of the input breaks a rule that a schema cannot say. `pointer` is a JSON Pointer (RFC 6901). */
export function invalid(pointer: string, detail: string): PosternError {
  return new PosternError('invalid_request', detail, { errors: [{ pointer, detail }] })
}

export function notFound(what: string): PosternError {
  return new PosternError('not_found', `No such ${what}.`)
}
