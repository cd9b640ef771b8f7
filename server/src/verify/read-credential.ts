/** Finds the credential in a request's headers: `Authorization: Bearer` or `DPoP`, or `X-API-Key`. Never in the URL. */
import { type CredentialedRequest, denial, type Denial } from '../kernel/index.ts'

export interface SentCredential {
  readonly scheme: 'bearer' | 'dpop' | 'api_key'
  readonly text: string
}

/**
 * RFC 6750, section 2.1, and RFC 9449, section 7.1. Two credentials, or one header twice, are refused: which of them
 * counts would be a guess.
 */
export function readCredential({ headers }: CredentialedRequest): SentCredential | Denial {
  const authorization = headers['authorization']
  const apiKey = headers['x-api-key']
  if (Array.isArray(authorization) || Array.isArray(apiKey)) return denial('multiple_credentials')
  if (authorization !== undefined && apiKey !== undefined) return denial('multiple_credentials')
  if (apiKey !== undefined) {
    // Node joins repeated X-API-Key headers with a comma; no credential of ours has one.
    return apiKey.includes(',') ? denial('multiple_credentials') : { scheme: 'api_key', text: apiKey }
  }
  if (authorization === undefined) return denial('missing')
  const sent = /^(Bearer|DPoP) +([^\s,]+) *$/i.exec(authorization)
  if (!sent) return denial(/^(Basic|Negotiate)\b/i.test(authorization) ? 'unsupported' : 'malformed')
  const [, scheme, text] = sent as unknown as [string, string, string]
  return { scheme: scheme.toLowerCase() as 'bearer' | 'dpop', text }
}
