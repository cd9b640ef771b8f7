/** A protected API: named by a URI, with the scopes it knows. It serves many tenants. */

export const TOKEN_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const
/** `jwt`: services can check it by themselves (RFC 9068). `opaque`: it says nothing to whoever holds it; the server is asked. */
export const TOKEN_FORMATS = ['jwt', 'opaque'] as const

/**
 * What happens to a key that was found in public: it ends, it is refused until an operator says otherwise, it ends after
 * a notice in which it can be replaced, or nothing but the telling.
 */
export const LEAK_POLICIES = ['revoke', 'disable', 'rotate', 'tell'] as const
export type LeakPolicy = (typeof LEAK_POLICIES)[number]

/**
 * Whether a key may replace itself: never; or with a successor that ends when it would have ended; or with one that lives
 * as long again.
 */
export const SELF_ROTATIONS = ['off', 'same_end', 'renew'] as const
export type SelfRotation = (typeof SELF_ROTATIONS)[number]

export interface ResourceScope {
  readonly name: string
  readonly description: string
}

export interface Resource {
  readonly id: string
  /** RFC 8707 resource indicator: the `aud` of its tokens. */
  readonly uri: string
  readonly name: string
  readonly scopes: readonly ResourceScope[]
  /** What its keys start with. */
  readonly keyPrefix: string
  /** The lifetime of a key issued without one; null: never expires. */
  readonly keyLifetimeSeconds: number | null
  readonly tokenLifetimeSeconds: number
  readonly tokenAlgorithm: (typeof TOKEN_ALGORITHMS)[number]
  readonly accessTokenFormat: (typeof TOKEN_FORMATS)[number]
  /** Whether live keys may come from a browser. */
  readonly allowBrowserKeys: boolean
  /** Whether people's tokens have only those scopes that their roles allow. */
  readonly scopesByRole: boolean
  /** How long a verifier may keep an answer without asking again. */
  readonly cacheSeconds: number
  readonly leakPolicy: LeakPolicy
  /** With `rotate`: how long a leaked key goes on. */
  readonly leakNoticeSeconds: number
  /** How old a key, or a client's secret, may become before it is overdue; null: as old as it likes. */
  readonly keyMaxAgeSeconds: number | null
  /** How long before that, or before its end, is warned. */
  readonly rotationNoticeSeconds: number
  readonly selfRotation: SelfRotation
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

export const DEFAULTS = {
  keyPrefix: 'sk',
  keyLifetimeSeconds: 31_536_000,
  tokenLifetimeSeconds: 900,
  tokenAlgorithm: 'ES256',
  accessTokenFormat: 'jwt',
  allowBrowserKeys: false,
  scopesByRole: false,
  cacheSeconds: 60,
  leakPolicy: 'revoke',
  leakNoticeSeconds: 86_400,
  keyMaxAgeSeconds: null,
  rotationNoticeSeconds: 1_209_600,
  selfRotation: 'off',
} as const

/** The prefix of the management API's own keys: no other resource may take it. */
export const MANAGEMENT_PREFIX = 'postern'
