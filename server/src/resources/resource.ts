/** A protected API: named by a URI, with the scopes it knows. It serves many tenants. */

export const TOKEN_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const
/** `jwt`: services can check it by themselves (RFC 9068). `opaque`: it says nothing to whoever holds it; the server is asked. */
export const TOKEN_FORMATS = ['jwt', 'opaque'] as const

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
} as const

/** The prefix of the management API's own keys: no other resource may take it. */
export const MANAGEMENT_PREFIX = 'postern'
