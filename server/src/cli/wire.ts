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
  readonly access_token_format: string
  readonly allow_browser_keys: boolean
  readonly scopes_by_role: boolean
  readonly cache_seconds: number
  readonly leak_policy: string
  readonly leak_notice_seconds: number
  readonly key_max_age_seconds: number | null
  readonly rotation_notice_seconds: number
  readonly self_rotation: 'off' | 'same_end' | 'renew'
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

export interface WireLimit {
  readonly type: 'rate' | 'quota'
  readonly name: string
  readonly limit: number
  readonly window_seconds?: number
  readonly burst?: number
  readonly period?: 'day' | 'month'
  readonly enforcement?: 'strict' | 'leased'
}

export interface WirePlan {
  readonly id: string
  readonly name: string
  readonly limits: readonly WireLimit[]
  readonly created_at: string
  readonly updated_at: string
}

export interface WireLimitTarget {
  readonly on: string
  readonly id: string
  readonly tenant: string | null
  readonly plan: string | null
  readonly limits: readonly WireLimit[]
  readonly created_at: string
  readonly updated_at: string
}

export interface WireUsage {
  readonly start?: string
  readonly credential?: string
  readonly client?: string
  readonly tenant?: string
  readonly resource?: string
  readonly route?: string
  readonly result?: string
  readonly count: number
}

export interface WireKeyUsage {
  readonly key: string
  readonly requests: readonly {
    readonly at: string
    readonly route: string
    readonly address: string | null
    readonly result: string
  }[]
  readonly scopes: readonly { readonly scope: string; readonly last_used_at: string | null }[]
}

export interface WireUsedKey {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly tenant: string
  readonly last_used_at: string | null
  readonly last_used_network: string | null
  readonly rotated_at: string | null
  readonly rotated_to: string | null
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

export interface WireClientSecret {
  readonly id: string
  readonly last4: string
  readonly created_at: string
  readonly expires_at: string | null
}

export interface WireClient {
  readonly id: string
  readonly name: string
  readonly kind: string
  /** Null: it serves the users of every tenant. */
  readonly tenant: string | null
  readonly grant_types: readonly string[]
  readonly auth_method: string
  readonly redirect_uris: readonly string[]
  readonly post_logout_redirect_uris: readonly string[]
  readonly cors_origins: readonly string[]
  /** Resources by id; scopes null: all. */
  readonly resources: readonly { readonly resource: string; readonly scopes: readonly string[] | null }[]
  readonly introspects: readonly string[]
  readonly first_party: boolean
  readonly dpop_bound: boolean
  readonly self_registered: boolean
  readonly id_token_signed_response_alg: string
  readonly jwks: { readonly keys: readonly unknown[] } | null
  readonly jwks_uri: string | null
  readonly backchannel_logout_uri: string | null
  readonly secrets: readonly WireClientSecret[]
  readonly disabled: boolean
  readonly created_at: string
  readonly created_by: string
  readonly updated_at: string
}

/** The only answer that holds the secret itself; a client that uses none has none. */
export type RegisteredClient = WireClient & { readonly client_secret?: string }
export type AddedClientSecret = WireClientSecret & { readonly client_secret: string }

export interface WireUser {
  readonly id: string
  readonly username: string | null
  readonly email: string | null
  readonly email_verified: boolean
  readonly name: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly disabled: boolean
  readonly has_password: boolean
  readonly password_set_at: string | null
  readonly created_at: string
  readonly updated_at: string
}

export interface WirePasskey {
  readonly id: string
  readonly name: string
  readonly synced: boolean
  readonly created_at: string
  readonly last_used_at: string | null
}

export interface WireSecondFactor {
  readonly type: 'one_time_codes'
  readonly recovery_codes_left: number
  readonly wrong_codes: number
  readonly created_at: string
  readonly last_used_at: string | null
}

export interface WireProvider {
  readonly id: string
  readonly name: string
  readonly kind: 'oidc' | 'github'
  readonly issuer: string
  readonly client_id: string
  readonly redirect_uri: string
  readonly disabled: boolean
  readonly created_at: string
  readonly updated_at: string
}

export interface WireMail {
  readonly to: string
  readonly subject: string
  readonly text: string
  readonly created_at: string
}

export interface WireRole {
  readonly name: string
  readonly description: string
  /** By the URI of the resource. */
  readonly scopes: Readonly<Record<string, readonly string[]>>
  readonly created_at: string
  readonly updated_at: string
}

export interface WireMembership {
  readonly tenant: string
  readonly tenant_name: string
  readonly roles: readonly string[]
  readonly created_at: string
  readonly updated_at: string
}

export interface WireSigningKey {
  /** The `kid`. */
  readonly id: string
  readonly algorithm: string
  readonly state: 'next' | 'active' | 'retiring' | 'gone' | 'revoked'
  readonly created_at: string
  readonly activates_at: string | null
  readonly activated_at: string | null
  readonly retired_at: string | null
  readonly ends_at: string | null
  readonly revoked_at: string | null
  readonly revoked_reason: string | null
}

/** What /v1/verify answers, as far as it is shown. */
export type WireVerdict =
  | {
      readonly valid: true
      readonly principal: {
        readonly sub: string
        readonly tenant: string
        readonly resource: string
        readonly scopes: readonly string[]
        readonly credential: { readonly type: string; readonly id: string; readonly environment: string }
        readonly expires_at?: string
      }
    }
  | { readonly valid: false; readonly code: string; readonly detail: string }

export interface WireTrustedIssuer {
  readonly id: string
  readonly issuer: string
  /** Its URI. */
  readonly resource: string
  readonly resource_id: string
  readonly subject_prefix: string
  readonly name: string
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  readonly jwks_uri: string | null
  readonly claims: {
    readonly sub: string
    readonly scopes: string
    readonly scope_map: Readonly<Record<string, readonly string[]>> | null
    readonly roles: string | null
    readonly tenant?: string
    readonly tenant_claim?: string
    readonly tenant_claim_is?: string
  }
  readonly longest_token_seconds: number
  readonly revoked_before: string | null
  readonly created_at: string
  readonly updated_at: string
}

export interface WireOutcome {
  readonly kind: string
  readonly id: string
  readonly tenant: string | null
  readonly status: 'revoked' | 'already_revoked' | 'refused'
  /** Its id among the revocations; null when nothing was changed. */
  readonly revocation: string | null
  readonly detail?: string
}

export interface RevokeAnswer {
  readonly dry_run: boolean
  readonly revoked: number
  readonly targets: readonly WireOutcome[]
  /** Of a dry run. */
  readonly blast_radius?: {
    readonly keys: number
    readonly operators: number
    readonly sessions: number
    readonly grants: number
    readonly clients: number
    readonly tokens: { readonly at_most: number; readonly counted: string }
  }
}

export interface WireRevocation {
  readonly id: string
  readonly at: string
  readonly kind: string
  readonly target: string
  readonly tenant: string | null
  readonly action: string
  readonly reason: string | null
  readonly actor: { readonly type: string; readonly id: string }
}

export interface WireFeedRow {
  readonly seq: number
  readonly kind: string
  readonly key: string
  readonly effect: 'revoked' | 'changed' | 'deleted'
  /** Unix milliseconds. */
  readonly at: number
}

export interface WireSnapshot {
  readonly head: number
  readonly rows: readonly WireFeedRow[]
}

export interface WireRoute {
  readonly id: string
  readonly position: number
  readonly host: string
  readonly path: string
  readonly methods: readonly string[]
  readonly resource: string | null
  readonly scopes: readonly string[]
  readonly tenant: string | null
  readonly credentials: readonly string[]
  readonly roles: readonly string[]
  readonly anonymous: boolean
  readonly acr_values: readonly string[]
  readonly max_age: number | null
  readonly upstream: string | null
  readonly source: 'api' | 'file'
}

export interface WireExplanation {
  readonly route: WireRoute | null
  readonly why: string
  readonly tried: readonly { readonly id: string; readonly misfit: string | null }[]
}

export interface WireLeak {
  readonly id: string
  readonly at: string
  readonly key: string
  readonly tenant: string
  readonly resource: string
  readonly reporter: string
  readonly reported_by: string
  readonly type: string
  readonly source: string
  readonly url: string
  readonly action: string
}

export interface WireFoundKey {
  readonly key: string
  readonly owner: string
  readonly tenant: string
  readonly resource: string
  readonly status: WireStatus
  readonly expires_at: string | null
  readonly last_used_at: string | null
  readonly action: string
  readonly reported_before: boolean
}

export interface WireLeakAnswer {
  readonly dry_run: boolean
  readonly data: readonly { readonly found: readonly WireFoundKey[] }[]
}

export interface WireWebhook {
  readonly id: string
  /** Null: the events of the whole deployment. */
  readonly tenant: string | null
  readonly name: string
  readonly url: string
  /** Null: all. */
  readonly events: readonly string[] | null
  readonly secrets: readonly {
    readonly id: string
    readonly created_at: string
    readonly expires_at: string | null
  }[]
  readonly disabled: boolean
  readonly disabled_reason: string | null
  readonly failing_since: string | null
  readonly dropped: number
  readonly created_at: string
  readonly created_by: string
  readonly updated_at: string
}

export interface WireDelivery {
  readonly id: string
  readonly message: string
  readonly type: string
  readonly state: 'pending' | 'delivered' | 'failed'
  readonly attempts: number
  readonly created_at: string
  readonly next_at: string | null
  readonly last_at: string | null
  readonly last_status: number | null
  readonly last_error: string | null
  readonly payload: unknown
}

export interface WireAging {
  readonly kind: string
  readonly id: string
  readonly holder: string
  readonly tenant: string | null
  readonly resource: string | null
  readonly state: 'due' | 'overdue'
  readonly created_at: string
  readonly expires_at: string | null
  readonly due_at: string | null
}

export interface WireComplianceReport {
  readonly at: string
  readonly keys: { readonly active: number; readonly never_expire: number; readonly unused_90_days: number }
  readonly grants: number
  readonly clients: number
  readonly users: number
  readonly rotation: Readonly<Record<string, { readonly due: number; readonly overdue: number }>>
  readonly listed: readonly WireAging[]
  readonly audit: WireHead
}
