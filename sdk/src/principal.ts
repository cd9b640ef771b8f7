/** The answer of a successful verify: who calls, for which customer, and what they may do. */
import type { Denial } from './denial.ts'

export type Environment = 'live' | 'test'

/**
 * Frozen through and through: one Principal is shared by every request that comes with its credential, and what one
 * handler changed another would see.
 */
export interface Principal {
  readonly valid: true
  /** A user `usr_…`, an OAuth client `cli_…`, or the owner id that was chosen when the key was issued. */
  readonly sub: string
  readonly subType: 'user' | 'client' | 'external'
  /** The customer organization, `ten_…`. */
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
  /** When the user last signed in, Unix milliseconds. */
  readonly authTimeMs?: number
  /** Unix milliseconds. Absent: the credential does not end by itself. */
  readonly expiresAtMs?: number
  /** The name of the nearest plan: the key's own, else its owner's, its client's, its tenant's. */
  readonly plan?: string
  /** As it was stored with the credential; its members are not renamed. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** Who acts for the subject, nested (RFC 8693, section 4.1). */
export interface Actor {
  readonly sub: string
  readonly act?: Actor
}

/** What `verify` answers. Tell the two apart by `valid`. */
export type Result = Principal | Denial
