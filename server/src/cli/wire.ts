/** The management API's objects, as far as commands look into them. --json prints them whole. */

export interface Page<T> {
  readonly data: readonly T[]
  readonly next_cursor: string | null
}

export interface WireTenant {
  readonly id: string
  readonly name: string
  readonly external_id: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  readonly disabled: boolean
  readonly created_at: string
  readonly updated_at: string
}

export interface WireResource {
  readonly id: string
  readonly uri: string
  readonly name: string
  readonly scopes: readonly { readonly name: string; readonly description: string }[]
  readonly key_prefix: string
  readonly key_lifetime_seconds: number | null
  readonly token_lifetime_seconds: number
  readonly token_algorithm: string
  readonly allow_browser_keys: boolean
  readonly cache_seconds: number
  readonly created_at: string
  readonly updated_at: string
}

export type WireStatus = 'active' | 'disabled' | 'expired' | 'revoked'

interface WireCredential {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly scopes: readonly string[]
  readonly status: WireStatus
  readonly lookup: string | null
  readonly last4: string | null
  readonly created_at: string
  readonly created_by: string
  readonly expires_at: string | null
  readonly disabled_at: string | null
  readonly revoked_at: string | null
  readonly rotated_to: string | null
  readonly rotated_from: string | null
  readonly last_used_at: string | null
  readonly last_used_network: string | null
}

export interface WireKey extends WireCredential {
  readonly tenant: string
  /** Its URI. */
  readonly resource: string
  readonly resource_id: string
  readonly environment: 'live' | 'test'
  readonly prefix: string
  readonly imported: boolean
  readonly ip_allow: readonly string[]
  readonly metadata: Readonly<Record<string, unknown>>
  readonly not_before: string | null
  readonly revoked_reason: string | null
  readonly rotated_at: string | null
}

export interface WireOperator extends WireCredential {
  /** Null: the whole deployment. */
  readonly tenant: string | null
  /** Resource ids; null: all. */
  readonly resources: readonly string[] | null
}

/** The only answer that holds the key itself. */
export type Issued<T> = T & { readonly key: string }

export interface Rotated<T> {
  readonly key: Issued<T>
  readonly old: T
}

export interface WireNetwork {
  readonly network: string
  readonly first_seen: string
  readonly last_seen: string
  readonly uses: number
}

export interface BulkAnswer {
  readonly dry_run: boolean
  readonly matched: number
  readonly by_owner: readonly { readonly owner: string; readonly count: number }[]
  readonly sample: readonly WireKey[]
  /** Of bulk-revoke. */
  readonly revoked?: number
}

export interface WireAuditEvent {
  readonly seq: number
  readonly at: string
  readonly tenant: string | null
  readonly actor: { readonly type: string; readonly id: string }
  readonly action: string
  readonly target: { readonly type: string; readonly id: string }
  readonly data: Readonly<Record<string, unknown>>
  readonly hash: string
}

export interface WireHead {
  readonly seq: number
  readonly hash: string
}

export interface WireActivity {
  readonly minute: string
  readonly kind: string
  readonly code: string
  readonly route: string
  readonly network: string
  readonly tenant: string | null
  readonly credential: string | null
  readonly count: number
  readonly last_at: string
}
