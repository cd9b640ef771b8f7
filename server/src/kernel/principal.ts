/** The answer of a successful verify: who calls, for whom, and what they may do. */

export type Environment = 'live' | 'test'

export interface Principal {
  readonly sub: string
  readonly subType: 'user' | 'client' | 'external'
  readonly tenant: string
  /** The resource's URI: the `aud` of tokens for it. */
  readonly resource: string
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly credential: {
    readonly type: 'api_key' | 'access_token' | 'session'
    readonly id: string
    readonly environment: Environment
  }
  readonly clientId?: string
  readonly act?: Actor
  readonly cnf?: { readonly jkt?: string }
  readonly grantId?: string
  readonly sessionId?: string
  readonly acr?: string
  readonly amr?: readonly string[]
  /** When the user last signed in (OpenID Connect's `auth_time`), Unix milliseconds. */
  readonly authTimeMs?: number
  /** Unix milliseconds. */
  readonly expiresAtMs?: number
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** RFC 8693, section 4.1: who acts for the subject, nested. */
export interface Actor {
  readonly sub: string
  readonly act?: Actor
}
