/** What to do about each code. With the codes' own titles and details it is the page /docs/errors, and docs/errors.md. */
import { DENIALS, ERRORS } from '../kernel/index.ts'
import type { DenialCode, ErrorCode } from '../kernel/index.ts'

export interface Explained {
  readonly code: string
  readonly status: number
  readonly meaning: string
  readonly remedy: string
}

const ERROR_REMEDIES: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'Look at `errors`: each entry points at a member and says what it must be.',
  invalid_json: 'Send one JSON value in UTF-8, without a member twice and not nested deeper than 32 levels.',
  invalid_cursor: 'Start the list again without `cursor`, and pass on `next_cursor` as it came.',
  payload_too_large: 'Send less at once; most routes take 256 kB.',
  unsupported_media_type: 'Send `Content-Type: application/json`.',
  header_fields_too_large: 'Send fewer or shorter header fields; all together may have 16 kB.',
  unauthorized: 'Send a valid operator key as `Authorization: Bearer …`.',
  forbidden: 'Use an operator that holds this right. Nobody can grant more than they hold.',
  not_found:
    'Check the id or the path. What belongs to another tenant looks the same as what does not exist.',
  method_not_allowed: 'Use a method that the `Allow` header of the answer names.',
  conflict: 'Read the detail: something with that name or state exists already.',
  idempotency_in_flight: 'Wait a second and send the same request again.',
  idempotency_mismatch: 'Use a new Idempotency-Key for another request.',
  last_operator:
    'Create another deployment operator first. If all are lost, run `postern operators recover`.',
  too_many_requests: 'Wait as long as `Retry-After` says.',
  gateway_not_configured:
    'The operator sets `POSTERN_GATEWAY_SECRET`, and the same secret in the proxy: see docs/gateways.md.',
  gateway_untrusted_proxy:
    'The operator compares the secret in the proxy with `POSTERN_GATEWAY_SECRET`, and its address with `POSTERN_GATEWAY_PROXIES`.',
  gateway_ambiguous:
    'Send a plain path, each header once, and no header that spells another with `_` or `.`; the detail says what it was.',
  gateway_no_route: 'The operator asks `postern gateway explain` which route was meant.',
  request_timeout: 'Send the whole request within 30 seconds, its headers within 10.',
  internal_error:
    'Nothing on your side. The operator finds the cause in the log by the `X-Request-Id` of the answer.',
  storage_unavailable:
    'Try again after `Retry-After`. The operator looks at `/readyz`, the disk and the database.',
  upstream_unavailable:
    'Try again after `Retry-After`. The operator finds in the log which service it was and why.',
  shutting_down: 'Try again at once: another process will answer.',
}

const DENIAL_REMEDIES: Readonly<Record<DenialCode, string>> = {
  missing: 'Send the credential as `Authorization: Bearer …` or `X-API-Key`.',
  malformed: 'Copy the credential again, whole; a key carries a checksum that finds typing errors.',
  multiple_credentials: 'Send one credential: not both `Authorization` and `X-API-Key`.',
  exposed_in_url: 'Send it in a header, and replace it: URLs end up in logs, histories and referrers.',
  exposed_in_browser:
    'Call from a server, or let the API take browser keys (`allow_browser_keys`); replace this key.',
  cross_site:
    'Call from a page of the application itself, with the header `X-CSRF: 1` where something is changed.',
  unknown: 'Check that the key belongs to this deployment.',
  expired: 'Issue a new key, or rotate before the next one expires.',
  not_yet_valid: 'Wait for the time in `not_before`, and check the clocks.',
  revoked: 'Issue a new key. A revoked one never comes back.',
  disabled: 'An operator can enable it again: `POST /v1/keys/{id}/enable`.',
  wrong_resource: 'Use a key that was issued for this API.',
  wrong_tenant: 'Use a key of this tenant.',
  wrong_environment: 'Use a `live` key, or let the verifier accept `test` ones.',
  insufficient_scope: 'Use a key that holds the scopes in `WWW-Authenticate`.',
  insufficient_authentication: 'Sign in again, as `WWW-Authenticate` asks.',
  ip_not_allowed: 'Call from an address in the key’s `ip_allow`, or change that list.',
  proof_required: 'Send a `DPoP` header with a proof made by the key’s owner (RFC 9449).',
  proof_invalid: 'Make a new proof for this method, URL and moment.',
  rate_limited: 'Wait as long as `Retry-After` says.',
  quota_exceeded: 'Wait for the next period, or have the quota raised.',
  stale: 'Try again shortly: the verifier is reconnecting to Postern.',
  unavailable: 'Try again shortly. The operator looks at `/readyz`.',
  unsupported: 'Use a kind of credential that this API takes; the management API takes operator keys alone.',
}

export const EXPLAINED_ERRORS: readonly Explained[] = (Object.keys(ERRORS) as ErrorCode[]).map((code) => ({
  code,
  status: ERRORS[code].status,
  meaning: `${ERRORS[code].title}.`,
  remedy: ERROR_REMEDIES[code],
}))

export const EXPLAINED_DENIALS: readonly Explained[] = (Object.keys(DENIALS) as DenialCode[]).map((code) => ({
  code,
  status: DENIALS[code].status,
  meaning: DENIALS[code].detail,
  remedy: DENIAL_REMEDIES[code],
}))

/** As docs/errors.md has it. */
export function errorsTable(rows: readonly Explained[]): string {
  return [
    '| code | status | meaning | what to do |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ code, status, meaning, remedy }) => `| \`${code}\` | ${status} | ${meaning} | ${remedy} |`,
    ),
  ].join('\n')
}
