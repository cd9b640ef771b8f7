/**
 * The access tokens that the engine issues, with what the feed asks of them: JWTs (RFC 9068) minted by `tokens/`, or
 * opaque ones, stored by their digest. The first replaces the engine's own format: signing is most of what a token
 * costs, and `node:crypto` signs in a fifth of the time.
 */
import { errors, type KoaContextWithOIDC, Provider } from 'oidc-provider'
import { generateKey } from '../api-keys/index.ts'
import type { Artifacts, StoredPayload } from '../clients/index.ts'
import { ACCESS_TOKEN_PREFIX, type Clock } from '../kernel/index.ts'
import type { Charged } from '../limits/index.ts'
import type { Resource } from '../resources/index.ts'
import { feedRef } from '../revocation/index.ts'
import {
  AncestorEnded,
  type AccessTokenClaims,
  type ActClaim,
  dependenciesOf,
  isProofKeyRevoked,
  mintAccessToken,
  type SigningAlgorithm,
  type SigningKeys,
  TokenTooLarge,
} from '../tokens/index.ts'
import type { Storage } from '../storage/index.ts'
import { privilegesOf } from './client-metadata.ts'
import { evidence } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'
import type { People } from './people.ts'
import { resourceOfUri } from './resource-servers.ts'

export interface TokenIssuer {
  readonly issuer: string
  readonly clock: Clock
  readonly signingKeys: SigningKeys
  readonly people: People
  readonly storage: Storage
  readonly isLimited: OAuthPorts['isLimited']
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
  scope?: string
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
  const membership = tenant === undefined ? undefined : await people.membershipOf(token.accountId, tenant)
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
      generateTokenId(this: EngineToken): string
      getValueAndPayload(this: EngineToken): Promise<{ value: string; payload?: StoredPayload }>
    }
    const { generateTokenId, getValueAndPayload: engines } = prototype
    prototype.generateTokenId = function () {
      const id = generateTokenId.call(this)
      return this.format === 'opaque' ? newOpaqueToken() : id
    }
    prototype.getValueAndPayload = async function getValueAndPayload() {
      if (this.jkt !== undefined && (await isProofKeyRevoked(issuer.storage, this.jkt)))
        throw new errors.InvalidGrant('the proof key was revoked')
      await limitToRoles(issuer, this)
      if (this.format === 'jwt') return { value: await mint(issuer, this) }
      const opaque = await engines.call(this)
      // Without an audience it is for our own endpoint, which asks nobody's tenant.
      if (opaque.payload?.aud !== undefined && opaque.payload.extra?.['tenant'] === undefined)
        throw noTenant()
      return opaque
    }
  }
}

/**
 * Where a resource grants people what their roles allow, at every issue: the roles as they are now, so that consent to
 * more than that is no more than consent, and a refresh knows of a role that was changed.
 */
async function limitToRoles({ people, storage }: TokenIssuer, token: EngineToken): Promise<void> {
  if (token.accountId === undefined || token.aud === undefined || !token.scope) return
  const resource = await resourceOfUri(storage, token.aud)
  if (!resource?.scopesByRole) return
  const entities = ((Provider.ctx as KoaContextWithOIDC | undefined)?.oidc.entities ?? {}) as Record<
    string,
    GrantMembers | undefined
  >
  const tenant = entities['Grant']?.tenant ?? token.extraClaims?.tenant
  const membership = tenant === undefined ? undefined : await people.membershipOf(token.accountId, tenant)
  const allowed = await people.scopesOfRoles(membership?.roles ?? [], resource.id)
  token.scope = token.scope
    .split(' ')
    .filter((scope) => allowed.has(scope))
    .join(' ')
}

async function mint(issuer: TokenIssuer, token: EngineToken): Promise<string> {
  const iat = Math.floor(issuer.clock.nowMs() / 1000)
  const extra = await extraClaims(issuer, Provider.ctx as KoaContextWithOIDC | undefined, token)
  const { tenant } = extra
  if (tenant === undefined) throw noTenant()
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
  return sign(issuer, alg, await withLimitsTold(issuer, claims))
}

/** An access token as its resource wants it, for grants that are not the engine's own. */
export async function issueAccessToken(
  issuer: Pick<TokenIssuer, 'signingKeys' | 'storage' | 'isLimited'> & { readonly artifacts: Artifacts },
  resource: Resource,
  claims: AccessTokenClaims,
): Promise<string> {
  if (resource.accessTokenFormat === 'jwt')
    return sign(issuer, resource.tokenAlgorithm, await withLimitsTold(issuer, claims, resource.id))
  const { iss: _, sub, aud, exp, iat, jti: __, client_id: clientId, scope, cnf, rsn, ...extra } = claims
  if (exp <= iat) throw ended()
  const id = newOpaqueToken()
  const payload: StoredPayload = {
    kind: 'AccessToken',
    iat,
    exp,
    accountId: sub,
    clientId,
    aud: String(aud),
    ...(scope !== undefined && { scope }),
    ...(cnf && { jkt: cnf.jkt }),
    ...(extra.gid !== undefined && { grantId: extra.gid }),
    extra: { ...extra, rsn },
  }
  const artifact = { model: 'AccessToken', id, payload: { ...payload }, rsn, expiresAtMs: exp * 1000 }
  if (!(await issuer.artifacts.save(artifact))) throw ended()
  return id
}

/**
 * With `lim` where the token will be charged to something that has limits: whoever checks it by itself asks. An opaque
 * token needs no such claim, as nobody can check it without asking.
 */
async function withLimitsTold(
  { storage, isLimited }: Pick<TokenIssuer, 'storage' | 'isLimited'>,
  claims: AccessTokenClaims,
  resourceId?: string,
): Promise<AccessTokenClaims> {
  const charged = async (): Promise<Charged> => ({
    principal: claims,
    resourceId: resourceId ?? (await resourceOfUri(storage, String(claims.aud)))?.id ?? '',
    refs: dependenciesOf(claims, null).map(([kind, key]) => feedRef(kind, key)),
  })
  return (await isLimited(claims.rsn, charged)) ? { ...claims, lim: true } : claims
}

/** In the form of a key: logs redact it, scanners find it, and a typing error is told from a token that has ended. */
function newOpaqueToken(): string {
  return generateKey(ACCESS_TOKEN_PREFIX, 'live').key
}

function sign(
  { signingKeys }: Pick<TokenIssuer, 'signingKeys'>,
  alg: SigningAlgorithm,
  claims: AccessTokenClaims,
): string {
  try {
    return mintAccessToken(signingKeys, alg, claims)
  } catch (error) {
    if (error instanceof AncestorEnded) throw ended()
    if (error instanceof TokenTooLarge) throw new errors.InvalidScope(error.message, '')
    throw error
  }
}

function ended(): Error {
  return new errors.InvalidGrant('what it came from has ended')
}

function noTenant(): Error {
  return new errors.InvalidGrant('no tenant')
}
