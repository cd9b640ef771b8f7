/** A provider of which people may bring their sign-in, and who somebody is there. */

/** `oidc`: found by its discovery document. `github`: OAuth without OpenID Connect, with its own API behind it. */
export type ProviderKind = 'oidc' | 'github'

export interface Provider {
  readonly id: string
  /** On the button: "Continue with …". */
  readonly name: string
  readonly kind: ProviderKind
  /** What must stand in `iss`, exactly; for GitHub its address. */
  readonly issuer: string
  readonly clientId: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly disabledAtMs: number | null
}

/** What a provider says about whoever signed in there. */
export interface UpstreamPerson {
  /** Theirs, and never given to somebody else. */
  readonly subject: string
  readonly name: string
  /** Undefined unless the provider says that it has verified it. */
  readonly verifiedEmail: string | undefined
}

export const GITHUB = 'https://github.com'
