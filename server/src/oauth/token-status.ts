/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of every token. The engine authenticates the client and answers for
 * refresh tokens; for a JWT it gives up with `unsupported_token_type`, and of an opaque access token it knows less than
 * verify does: there the answer is ours.
 */
import type { Provider } from 'oidc-provider'
import { errors, type KoaContextWithOIDC } from 'oidc-provider'
import { type ChangeMaker, coarseNetwork, isOpaqueToken } from '../kernel/index.ts'
import { revokeToken } from '../tokens/index.ts'
import { type EngineClient, privilegesOf } from './client-metadata.ts'
import { evidence } from './evidence.ts'
import { told } from './introspection.ts'
import type { OAuthPorts } from './ports.ts'
import { resourceOfUri } from './resource-servers.ts'

interface StoredToken {
  readonly kind: string
  readonly jti: string
  readonly clientId: string
  readonly aud?: string
  readonly extra?: { readonly tenant?: string }
}

/** A client may ask about its own tokens, and about those for APIs that it serves, within its tenant. */
export function mayIntrospect(storage: OAuthPorts['storage']) {
  return async (_ctx: unknown, client: EngineClient, token: StoredToken): Promise<boolean> => {
    if (token.clientId === client.clientId) return true
    if (token.aud === undefined) return false
    const resource = await resourceOfUri(storage, token.aud)
    return resource !== undefined && serves(client, resource.id, token.extra?.tenant)
  }
}

/**
 * RFC 7009, section 2.1: a token that was issued to another client is refused, and the client is told. An access token
 * ends by itself, whatever its form; the engine would end its grant.
 */
export function mayRevoke({ artifacts }: Pick<OAuthPorts, 'artifacts'>) {
  return async (_ctx: unknown, client: EngineClient, token: StoredToken): Promise<boolean> => {
    if (token.clientId !== client.clientId) throw new errors.InvalidRequest(NOT_YOURS)
    if (token.kind === 'RefreshToken') return true
    await artifacts.destroy(token.kind, token.jti)
    return false
  }
}

const NOT_YOURS = 'this token was issued to another client'

function serves(client: EngineClient, resourceId: string, tenant: string | undefined): boolean {
  const privileges = privilegesOf(client)
  if (!privileges?.introspects.includes(resourceId)) return false
  return privileges.tenantId === null || privileges.tenantId === tenant
}

/** Completes the engine's two endpoints, on one provider. */
export function answerForAccessTokens(provider: Provider, ports: OAuthPorts): void {
  provider.use(async (koaContext, next) => {
    await next()
    const ctx = koaContext as unknown as KoaContextWithOIDC
    const route = ctx.oidc?.route
    if (route !== 'introspection' && route !== 'revocation') return
    const refused = ctx.body as { error?: string } | undefined
    const token = String(ctx.oidc.params?.['token'])
    const client = ctx.oidc.client as unknown as EngineClient
    const isOurs =
      refused?.error === 'unsupported_token_type' ||
      (route === 'introspection' && ctx.status === 200 && isOpaqueToken(token))
    if (!isOurs) return
    if (route === 'introspection') await introspect(ports, ctx, client, token)
    else await revoke(ports, ctx, client, token)
  })
}

async function introspect(
  { credentials }: OAuthPorts,
  ctx: KoaContextWithOIDC,
  client: EngineClient,
  token: string,
): Promise<void> {
  const found = await credentials.accessToken(token)
  ctx.status = 200
  ctx.body = { active: false }
  if ('valid' in found) return
  const { claims, presented } = found
  const own = claims.client_id === client.clientId
  if (own || serves(client, presented.resourceId, claims.tenant)) ctx.body = told(found)
}

/** What is not good any more, or never was, is revoked already: 200 (RFC 7009, section 2.2). */
async function revoke(
  ports: OAuthPorts,
  ctx: KoaContextWithOIDC,
  client: EngineClient,
  token: string,
): Promise<void> {
  const found = await ports.credentials.accessToken(token)
  if (!('valid' in found) && found.claims.client_id !== client.clientId) {
    ctx.status = 400
    ctx.body = { error: 'invalid_request', error_description: NOT_YOURS }
    return
  }
  if (!('valid' in found)) {
    const { jti, tenant, client_id: client, sub } = found.claims
    // Before the write: a transaction runs outside the request's context.
    const by = engineOf()
    await ports.storage.write(async (tx) =>
      revokeToken(tx, ports.changes, by, { jti, tenant, data: { client, sub } }),
    )
  }
  ctx.status = 200
  ctx.body = ''
  ctx.type = 'text'
}

function engineOf(): ChangeMaker {
  return { type: 'system', id: 'system', network: coarseNetwork(evidence().ip) }
}
