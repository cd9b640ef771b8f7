/**
 * The access tokens that the engine issues: minted by `tokens/` (RFC 9068), with what FEED.md asks of them. It replaces
 * the engine's own JWT format: signing is most of what a token costs, and `node:crypto` signs in a fifth of the time.
 */
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import type { Clock } from '../kernel/index.ts'
import {
  AncestorEnded,
  type AccessTokenClaims,
  type ActClaim,
  isProofKeyRevoked,
  mintAccessToken,
  type SigningAlgorithm,
  type SigningKeys,
  TokenTooLarge,
} from '../tokens/index.ts'
import type { Storage } from '../storage/index.ts'
import { privilegesOf } from './client-metadata.ts'
import { evidence } from './evidence.ts'
import type { People } from './people.ts'

export interface TokenIssuer {
  readonly issuer: string
  readonly clock: Clock
  readonly signingKeys: SigningKeys
  readonly people: People
  readonly storage: Storage
}

/** What we keep on a grant beside the engine's members. */
export interface GrantMembers {
  /** Which tenant it is for. */
  tenant?: string
  /** The session in which it was given, where it ends with that. */
  session?: string
  /** Who acts for the user: a delegation. */
  act?: ActClaim
  /** What it descends from. */
  anc?: string[]
}
export const GRANT_MEMBERS = ['tenant', 'session', 'act', 'anc'] as const

/** What we may set on a token before it is saved. */
export interface TokenMembers {
  extraClaims?: Partial<AccessTokenClaims>
}

/** As far as the engine's tokens are used here. */
interface EngineToken extends TokenMembers {
  readonly kind: string
  readonly format?: string
  readonly jti: string
  readonly aud?: string
  readonly scope?: string
  readonly clientId: string
  readonly client?: object
  readonly accountId?: string
  readonly grantId?: string
  readonly jkt?: string
  readonly expiration: number
  readonly resourceServer?: { readonly jwt?: { readonly sign?: { readonly alg?: string } } }
}

/** Beside the members of every token: who it is for, where it stands in the feed, what it descends from. */
export async function extraClaims(
  { people }: Pick<TokenIssuer, 'people'>,
  ctx: KoaContextWithOIDC | undefined,
  token: EngineToken,
): Promise<Partial<AccessTokenClaims>> {
  const { rsn } = evidence()
  const entities = (ctx?.oidc.entities ?? {}) as Record<string, Record<string, unknown> | undefined>
  const client = token.client ?? entities['Client'] ?? {}
  const tenantOfClient = privilegesOf(client)?.tenantId ?? undefined
  if (token.accountId === undefined)
    return { rsn, ...(tenantOfClient !== undefined && { tenant: tenantOfClient }), ...token.extraClaims }

  const grant = (entities['Grant'] ?? {}) as GrantMembers
  const source = entities['AuthorizationCode'] ?? entities['RefreshToken'] ?? entities['DeviceCode'] ?? {}
  const tenant = grant.tenant ?? tenantOfClient
  const membership = (await people.tenantsOf(token.accountId)).find(({ tenantId }) => tenantId === tenant)
  return {
    rsn,
    ...(tenant !== undefined && { tenant }),
    ...(token.grantId !== undefined && { gid: token.grantId }),
    ...(grant.session !== undefined && { sid: grant.session }),
    ...(membership && membership.roles.length > 0 && { roles: membership.roles }),
    ...(grant.act && { act: grant.act }),
    ...(grant.anc && grant.anc.length > 0 && { anc: grant.anc }),
    ...(typeof source['acr'] === 'string' && { acr: source['acr'] }),
    ...(Array.isArray(source['amr']) && { amr: source['amr'] as string[] }),
    ...(typeof source['authTime'] === 'number' && { auth_time: source['authTime'] }),
    ...token.extraClaims,
  }
}

/** Makes the engine's access tokens ours, on one provider. */
export function mintWithOurKeys(provider: Provider, issuer: TokenIssuer): void {
  for (const model of [provider.AccessToken, provider.ClientCredentials]) {
    const prototype = model.prototype as unknown as {
      getValueAndPayload(this: EngineToken): Promise<{ value: string; payload?: unknown }>
    }
    const engines = prototype.getValueAndPayload
    prototype.getValueAndPayload = async function getValueAndPayload() {
      return this.format === 'jwt' ? { value: await mint(issuer, this) } : engines.call(this)
    }
  }
}

async function mint(issuer: TokenIssuer, token: EngineToken): Promise<string> {
  const iat = Math.floor(issuer.clock.nowMs() / 1000)
  const extra = await extraClaims(issuer, Provider.ctx as KoaContextWithOIDC | undefined, token)
  const { tenant } = extra
  if (tenant === undefined) throw new errors.InvalidGrant('no tenant')
  if (token.jkt !== undefined && (await isProofKeyRevoked(issuer.storage, token.jkt)))
    throw new errors.InvalidGrant('the proof key was revoked')
  const claims = {
    iss: issuer.issuer,
    sub: token.accountId ?? token.clientId,
    aud: token.aud,
    exp: iat + token.expiration,
    iat,
    jti: token.jti,
    client_id: token.clientId,
    ...(token.scope !== undefined && token.scope !== '' && { scope: token.scope }),
    ...extra,
    ...(token.jkt !== undefined && { cnf: { jkt: token.jkt } }),
  } as AccessTokenClaims
  const alg = (token.resourceServer?.jwt?.sign?.alg ?? 'ES256') as SigningAlgorithm
  try {
    return mintAccessToken(issuer.signingKeys, alg, claims)
  } catch (error) {
    if (error instanceof AncestorEnded) throw new errors.InvalidGrant('an ancestor has ended')
    if (error instanceof TokenTooLarge) throw new errors.InvalidScope(error.message, '')
    throw error
  }
}
