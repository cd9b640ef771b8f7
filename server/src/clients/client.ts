/** An OAuth client as it is stored, and what each kind of client is by default. */

export const CLIENT_KINDS = ['web', 'native', 'browser', 'service'] as const
/**
 * `web` keeps a secret on a server; `native` runs on a device and `browser` in a page, where nothing can be kept
 * secret; `service` acts for itself, without a user.
 */
export type ClientKind = (typeof CLIENT_KINDS)[number]

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'
export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  DEVICE_CODE,
  TOKEN_EXCHANGE,
] as const
export type GrantType = (typeof GRANT_TYPES)[number]

export const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

/** HS256 is not here: everyone who can check such a token can also make one. */
export const ID_TOKEN_ALGORITHMS = ['ES256', 'RS256', 'EdDSA'] as const
export type IdTokenAlgorithm = (typeof ID_TOKEN_ALGORITHMS)[number]

/** A protected API that a client may ask for. */
export interface ClientResource {
  readonly resourceId: string
  /** Null: all of the resource's scopes. */
  readonly scopes: readonly string[] | null
}

export interface ClientSettings {
  readonly grantTypes: readonly GrantType[]
  readonly authMethod: AuthMethod
  readonly redirectUris: readonly string[]
  readonly postLogoutRedirectUris: readonly string[]
  /** Origins whose scripts may call the token endpoint: browser clients alone. */
  readonly corsOrigins: readonly string[]
  readonly resources: readonly ClientResource[]
  /** Resource ids whose tokens it may introspect, because it serves them. */
  readonly introspects: readonly string[]
  /** Users are not asked for consent: set by operators, never by a registration. */
  readonly firstParty: boolean
  /** Its access tokens are bound to a DPoP key (RFC 9449), always. */
  readonly dpopBound: boolean
  /** By dynamic registration: it has no privileges, and its users are always asked. */
  readonly selfRegistered: boolean
  /** What its ID tokens are signed with. */
  readonly idTokenAlgorithm: IdTokenAlgorithm
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] } | null
  readonly jwksUri: string | null
  readonly backchannelLogoutUri: string | null
}

/** One of a client's secrets: several may be good at once, so that one can be rotated without a gap. */
export interface ClientSecret {
  readonly id: string
  /** SHA-256, base64url: the secret has 256 bits of its own, so that nothing slower is needed. */
  readonly hash: string
  readonly last4: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
}

export interface Client extends ClientSettings {
  readonly id: string
  /** Null: it serves the users of every tenant. */
  readonly tenantId: string | null
  readonly kind: ClientKind
  readonly name: string
  readonly secrets: readonly ClientSecret[]
  /** The feed's position when it was made. */
  readonly rsn: number
  readonly createdAtMs: number
  readonly createdBy: string
  readonly updatedAtMs: number
  readonly disabledAtMs: number | null
}

interface KindRules {
  readonly grantTypes: readonly GrantType[]
  readonly mayHave: readonly GrantType[]
  readonly authMethod: AuthMethod
  readonly authMethods: readonly AuthMethod[]
}

const CONFIDENTIAL: readonly AuthMethod[] = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']

export const KIND_RULES: Readonly<Record<ClientKind, KindRules>> = {
  web: {
    grantTypes: ['authorization_code', 'refresh_token'],
    mayHave: ['authorization_code', 'refresh_token', 'client_credentials', TOKEN_EXCHANGE],
    authMethod: 'client_secret_basic',
    authMethods: CONFIDENTIAL,
  },
  native: {
    grantTypes: ['authorization_code', 'refresh_token'],
    mayHave: ['authorization_code', 'refresh_token', DEVICE_CODE],
    authMethod: 'none',
    authMethods: ['none'],
  },
  browser: {
    grantTypes: ['authorization_code', 'refresh_token'],
    mayHave: ['authorization_code', 'refresh_token'],
    authMethod: 'none',
    authMethods: ['none'],
  },
  service: {
    grantTypes: ['client_credentials'],
    mayHave: ['client_credentials', TOKEN_EXCHANGE],
    authMethod: 'client_secret_basic',
    authMethods: CONFIDENTIAL,
  },
}

export function usesSecret({ authMethod }: ClientSettings): boolean {
  return authMethod === 'client_secret_basic' || authMethod === 'client_secret_post'
}

export function isConfidential({ authMethod }: ClientSettings): boolean {
  return authMethod !== 'none'
}
