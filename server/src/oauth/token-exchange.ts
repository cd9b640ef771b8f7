/**
 * Token exchange (RFC 8693): an API key for a short access token, and a user's token for one with which an agent acts for
 * the user. Neither gets more than it had, and neither outlives what it came from.
 */
import { randomBytes } from 'node:crypto'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { MANAGEMENT_URI, missingScopes } from '../kernel/index.ts'
import type { Resource } from '../resources/index.ts'
import {
  type AccessTokenClaims,
  type ActClaim,
  AncestorEnded,
  isProofKeyRevoked,
  mintAccessToken,
  TokenTooLarge,
} from '../tokens/index.ts'
import type { OurGrant } from './consented-grants.ts'
import { type EngineClient, privilegesOf } from './client-metadata.ts'
import { type DpopProof, takeDpopProof } from './engine-internals.ts'
import { evidence, lowerPosition } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'
import { resourceOfUri, scopesFor } from './resource-servers.ts'

export const API_KEY_TYPE = 'urn:postern:params:oauth:token-type:api_key'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'

/** The client of whoever holds an API key and nothing else: public, and good for exchanging keys alone. */
export const API_KEY_CLIENT = 'api-key'

export const EXCHANGE_PARAMETERS = [
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'resource',
  'audience',
  'scope',
]

const DEEPEST_ACT = 4
const MOST_ANCESTORS = 8

/** What a token of the exchange is made of. */
interface Exchanged {
  readonly resource: Resource
  readonly scopes: readonly string[]
  readonly claims: Pick<AccessTokenClaims, 'sub' | 'tenant'> & Partial<AccessTokenClaims>
  /** Unix seconds; `exp` is never later. */
  readonly endsAt: readonly number[]
}

type Exchange = (
  ports: OAuthPorts,
  ctx: KoaContextWithOIDC,
  proof: DpopProof | undefined,
) => Promise<Exchanged>

const BY_SUBJECT_TYPE: Readonly<Record<string, Exchange>> = {
  [API_KEY_TYPE]: exchangeApiKey,
  [ACCESS_TOKEN_TYPE]: delegate,
  [JWT_TYPE]: delegate,
}

/** The handler of the grant type. */
export function tokenExchange(ports: OAuthPorts) {
  return async (ctx: KoaContextWithOIDC): Promise<void> => {
    const params = paramsOf(ctx)
    const { subject_token: token, subject_token_type: type } = params
    if (!token || !type) throw new errors.InvalidRequest('subject_token and subject_token_type are needed')
    if (params['actor_token'] !== undefined)
      throw new errors.InvalidRequest('the actor is the client that asks; leave actor_token away')
    if (params['audience'] !== undefined)
      throw new errors.InvalidTarget('name the API in the resource parameter')
    const requested = params['requested_token_type']
    if (requested !== undefined && requested !== ACCESS_TOKEN_TYPE && requested !== JWT_TYPE)
      throw new errors.InvalidRequest('requested_token_type must be an access token')
    const exchange = BY_SUBJECT_TYPE[type]
    if (!exchange) throw new errors.InvalidRequest('subject_token_type is not one that is taken')

    const proof = await takeDpopProof(ctx)
    if (proof && (await isProofKeyRevoked(ports.storage, proof.thumbprint)))
      throw new errors.InvalidGrant('the proof key was revoked')
    const { resource, scopes, claims, endsAt } = await exchange(ports, ctx, proof)
    const iat = Math.floor(ports.clock.nowMs() / 1000)
    const exp = Math.min(iat + resource.tokenLifetimeSeconds, ...endsAt)
    ctx.body = {
      access_token: mint(ports, resource, {
        iss: ports.issuer,
        aud: resource.uri,
        exp,
        iat,
        jti: randomBytes(16).toString('base64url'),
        client_id: clientOf(ctx).clientId,
        ...(scopes.length > 0 && { scope: scopes.join(' ') }),
        ...claims,
        ...(proof && { cnf: { jkt: proof.thumbprint } }),
        rsn: evidence().rsn,
      }),
      issued_token_type: ACCESS_TOKEN_TYPE,
      token_type: proof ? 'DPoP' : 'Bearer',
      expires_in: exp - iat,
      scope: scopes.join(' '),
    }
  }
}

/**
 * The same resource, the same scopes or fewer; it ends with the key. A key that is bound to addresses or to tests is not
 * exchanged: services that check tokens by themselves know of neither, and the token would be worth more than the key.
 */
async function exchangeApiKey(ports: OAuthPorts, ctx: KoaContextWithOIDC): Promise<Exchanged> {
  const client = clientOf(ctx)
  const params = paramsOf(ctx)
  const presented = await ports.credentials.apiKey(
    String(params['subject_token']),
    evidence().ip,
    params['resource'],
  )
  if ('valid' in presented) throw new errors.InvalidGrant(`the key is refused: ${presented.code}`)
  const { principal, expiresAtMs, ipAllowText } = presented
  if (principal.resource === MANAGEMENT_URI) throw new errors.InvalidTarget()
  if (ipAllowText.length > 0) throw new errors.InvalidGrant('the key is bound to addresses')
  if (principal.credential.environment !== 'live') throw new errors.InvalidGrant('the key is for tests')
  requireTenant(client, principal.tenant)
  if (params['resource'] !== undefined && params['resource'] !== principal.resource)
    throw new errors.InvalidTarget()
  const resource = await resourceOfUri(ports.storage, principal.resource)
  if (!resource) throw new errors.InvalidTarget()
  return {
    resource,
    scopes: narrowed(ctx, principal.scopes),
    endsAt: expiresAtMs === null ? [] : [Math.floor(expiresAtMs / 1000)],
    claims: { sub: principal.sub, tenant: principal.tenant, anc: [principal.credential.id] },
  }
}

/** User to agent: the client acts for the user, with less, and under a grant of its own that can be cut off. */
async function delegate(
  ports: OAuthPorts,
  ctx: KoaContextWithOIDC,
  proof: DpopProof | undefined,
): Promise<Exchanged> {
  const client = clientOf(ctx)
  const params = paramsOf(ctx)
  if (client.clientAuthMethod === 'none')
    throw new errors.UnauthorizedClient('only a client that proves who it is may act for a user')
  const found = await ports.credentials.accessToken(String(params['subject_token']))
  if ('valid' in found) throw new errors.InvalidGrant(`the token is refused: ${found.code}`)
  const { claims, presented } = found
  if (!claims.sub.startsWith('usr_')) throw new errors.InvalidGrant('the subject is not a user')
  // A bound token is worth nothing without its key: exchanging it must not take the binding off.
  if (claims.cnf && claims.cnf.jkt !== proof?.thumbprint)
    throw new errors.InvalidGrant('the subject token is bound to another key')
  const mayAct = (claims as { may_act?: { sub?: unknown } }).may_act
  if (mayAct !== undefined && mayAct.sub !== client.clientId)
    throw new errors.InvalidGrant('the subject token names another actor')
  requireTenant(client, claims.tenant)

  const uri = params['resource'] ?? presented.principal.resource
  const resource = uri === presented.principal.resource ? await resourceOfUri(ports.storage, uri) : undefined
  const allowed = resource && scopesFor(client, resource)
  if (!resource || !allowed) throw new errors.InvalidTarget()
  const held = presented.principal.scopes.filter((scope) => allowed.includes(scope))
  const scopes = narrowed(ctx, held)

  const act: ActClaim = { sub: client.clientId, ...(claims.act && { act: claims.act }) }
  if (depthOf(act) > DEEPEST_ACT) throw new errors.InvalidGrant('too many actors in a row')
  const anc = [
    ...new Set([claims.jti, ...(claims.gid === undefined ? [] : [claims.gid]), ...(claims.anc ?? [])]),
  ]
  if (anc.length > MOST_ANCESTORS) throw new errors.InvalidGrant('too many ancestors')
  lowerPosition(claims.rsn)
  const grant = new ctx.oidc.provider.Grant({ accountId: claims.sub, clientId: client.clientId }) as OurGrant
  Object.assign(grant, { tenant: claims.tenant, act, anc })
  if (scopes.length > 0) grant.addResourceScope(resource.uri, scopes.join(' '))
  const gid = await grant.save()
  return {
    resource,
    scopes,
    endsAt: [claims.exp],
    claims: {
      sub: claims.sub,
      tenant: claims.tenant,
      gid,
      act,
      anc,
      ...(claims.sid !== undefined && { sid: claims.sid }),
      ...(claims.roles && { roles: claims.roles }),
      ...(claims.acr !== undefined && { acr: claims.acr }),
      ...(claims.amr && { amr: claims.amr }),
      ...(claims.auth_time !== undefined && { auth_time: claims.auth_time }),
    },
  }
}

/** What is asked for of what is held; all of it when nothing is said. Never silently less than was asked. */
function narrowed(ctx: KoaContextWithOIDC, held: readonly string[]): readonly string[] {
  const asked = String(paramsOf(ctx)['scope'] ?? '')
    .split(' ')
    .filter(Boolean)
  if (asked.length === 0) return held
  const missing = missingScopes(held, asked)
  if (missing.length > 0)
    throw new errors.InvalidScope('requested scope is not held', missing.slice(0, 5).join(' '))
  return [...new Set(asked)]
}

function requireTenant(client: EngineClient, tenant: string): void {
  const own = privilegesOf(client)?.tenantId ?? null
  if (own !== null && own !== tenant) throw new errors.InvalidGrant('of another tenant')
}

function mint(ports: OAuthPorts, resource: Resource, claims: AccessTokenClaims): string {
  try {
    return mintAccessToken(ports.signingKeys, resource.tokenAlgorithm, claims)
  } catch (error) {
    if (error instanceof AncestorEnded) throw new errors.InvalidGrant('what it came from has ended')
    if (error instanceof TokenTooLarge) throw new errors.InvalidScope(error.message, '')
    throw error
  }
}

function depthOf(act: ActClaim | undefined): number {
  return act ? 1 + depthOf(act.act) : 0
}

function clientOf(ctx: KoaContextWithOIDC): EngineClient {
  return ctx.oidc.client as unknown as EngineClient
}

function paramsOf(ctx: KoaContextWithOIDC): Record<string, string | undefined> {
  return ctx.oidc.params as Record<string, string | undefined>
}
