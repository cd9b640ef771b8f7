/** Who asks authenticators: the configured issuer, whatever host a request names. */
import { isIP } from 'node:net'

export interface RelyingParty {
  /** The domain that passkeys belong to. */
  readonly id: string
  readonly origin: string
}

/** Undefined where the issuer is an address: a passkey belongs to a domain (WebAuthn, section 5.1.2). */
export function relyingPartyOf(issuer: string): RelyingParty | undefined {
  const { hostname, origin } = new URL(issuer)
  const isAddress = hostname.startsWith('[') || isIP(hostname) > 0
  return isAddress ? undefined : { id: hostname, origin }
}
