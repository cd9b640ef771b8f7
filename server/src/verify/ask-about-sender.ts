/** The question about whoever sends a request to this server itself, with the credential that came along. */
import { type CredentialedRequest, denial, type Denial, keysInUrl } from '../kernel/index.ts'
import { readCredential } from './read-credential.ts'
import type { VerifyRequest } from './verify-request.ts'

interface SentRequest extends CredentialedRequest {
  readonly method: string
}

/** Whichever API the credential is for, and in whichever tenant: it answers to its holder. */
export function askAboutSender(request: SentRequest, issuer: string): VerifyRequest | Denial {
  const sent = sentTo(request)
  if ('valid' in sent) return sent
  return {
    credential: sent.text,
    scopes: [],
    ip: request.ip,
    method: request.method,
    // Where it is known to be, whatever Host was sent.
    url: issuer.replace(/\/$/, '') + request.url,
    dpop: sent.dpop,
    origin: request.headers['origin'] as string | undefined,
    secFetchSite: request.headers['sec-fetch-site'] as string | undefined,
    environment: 'any',
    reach: { tenant: null, resources: null },
  }
}

/** With its proof where the scheme asks for one. */
function sentTo(request: SentRequest): { text: string; dpop?: string } | Denial {
  const [exposed] = keysInUrl(request.url)
  if (exposed !== undefined) return { text: exposed }
  const sent = readCredential(request)
  // RFC 9449, section 7.1: bound tokens come with this scheme and a proof, or not at all.
  if ('valid' in sent || sent.scheme !== 'dpop') return sent
  const dpop = request.headers['dpop']
  return dpop === undefined ? denial('proof_required') : { text: sent.text, dpop: String(dpop) }
}
