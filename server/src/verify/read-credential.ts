/** Finds the credential in a request's headers: `Authorization: Bearer`, or `X-API-Key`. Never in the URL. */
import { type CredentialedRequest, denial, type Denial } from '../kernel/index.ts'

/** RFC 6750, section 2.1. Two credentials, or one header twice, are refused: which of them counts would be a guess. */
export function readCredential({ headers }: CredentialedRequest): string | Denial {
  const authorization = headers['authorization']
  const apiKey = headers['x-api-key']
  if (Array.isArray(authorization) || Array.isArray(apiKey)) return denial('multiple_credentials')
  if (authorization !== undefined && apiKey !== undefined) return denial('multiple_credentials')
  // Node joins repeated X-API-Key headers with a comma; no credential of ours has one.
  if (apiKey !== undefined) return apiKey.includes(',') ? denial('multiple_credentials') : apiKey
  if (authorization === undefined) return denial('missing')
  const bearer = /^Bearer +([^\s,]+) *$/i.exec(authorization)
  if (!bearer) return denial(/^(Basic|DPoP|Negotiate)\b/i.test(authorization) ? 'unsupported' : 'malformed')
  return bearer[1] as string
}
