/** Resource indicators (RFC 8707): which protected APIs a client may ask for, and what their tokens look like. */
import { errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'
import { missingScopes, PosternError, systemCaller } from '../kernel/index.ts'
import { getResource, type Resource } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import { privilegesOf } from './client-metadata.ts'

/** Scopes of OpenID Connect: about the user, of no API. */
export const OPENID_SCOPES = ['openid', 'offline_access', 'profile', 'email'] as const

const EVERYTHING = systemCaller([])

/** The resource of that URI; undefined when there is none. An id is not a resource indicator. */
export async function resourceOfUri(storage: Storage, uri: string): Promise<Resource | undefined> {
  if (uri.length > 2_000 || uri.startsWith('res_')) return undefined
  return lookUp(storage, uri)
}

async function lookUp(storage: Storage, idOrUri: string): Promise<Resource | undefined> {
  try {
    return await getResource(storage, EVERYTHING, idOrUri)
  } catch (error) {
    if (error instanceof PosternError && error.code === 'not_found') return undefined
    throw error
  }
}

/** The one API of a client that has one. */
export async function onlyResource(storage: Storage, client: object): Promise<Resource | undefined> {
  const [only, another] = privilegesOf(client)?.resources ?? []
  return only && !another ? lookUp(storage, only.resourceId) : undefined
}

/**
 * The scopes of `resource` that `client` may ask for; undefined when it may not ask for it at all. A client that nobody
 * registered may ask for all of them: it is the user who allows them.
 */
export function scopesFor(client: object, resource: Resource): readonly string[] | undefined {
  const all = resource.scopes.map(({ name }) => name)
  const privileges = privilegesOf(client)
  if (!privileges) return all
  const granted = privileges.resources.find(({ resourceId }) => resourceId === resource.id)
  if (!granted) return undefined
  return granted.scopes === null ? all : all.filter((scope) => granted.scopes?.includes(scope))
}

export function resourceIndicators(storage: Storage) {
  return {
    enabled: true,

    async getResourceServerInfo(
      ctx: KoaContextWithOIDC,
      uri: string,
      client: object,
    ): Promise<ResourceServer> {
      const resource = await resourceOfUri(storage, uri)
      const allowed = resource && scopesFor(client, resource)
      // One answer for an API that is not there and for one that is not this client's: nobody learns which.
      if (!resource || !allowed) throw new errors.InvalidTarget()
      if (ctx.oidc.params?.['grant_type'] === 'client_credentials') defaultScope(ctx, allowed)
      return {
        scope: allowed.join(' '),
        audience: resource.uri,
        accessTokenTTL: resource.tokenLifetimeSeconds,
        accessTokenFormat: resource.accessTokenFormat,
        jwt: { sign: { alg: resource.tokenAlgorithm } },
      } as ResourceServer
    },

    /** Without a `resource`, a client that has one API means that one, unless it only asks who the user is. */
    async defaultResource(
      ctx: KoaContextWithOIDC,
      client: object,
      oneOf?: readonly string[],
    ): Promise<string | string[]> {
      if (oneOf) return oneOf.length === 1 ? (oneOf[0] as string) : [...oneOf]
      const { scope, grant_type: grantType } = ctx.oidc.params ?? {}
      const openid: readonly string[] = OPENID_SCOPES
      const asksAnApi = String(scope ?? '')
        .split(' ')
        .some((name) => name !== '' && !openid.includes(name))
      const only =
        asksAnApi || grantType === 'client_credentials' ? await onlyResource(storage, client) : undefined
      if (only) return only.uri
      if (grantType === 'client_credentials')
        throw new errors.InvalidTarget('name the API in the resource parameter')
      return []
    },

    // A token is always for one API: the engine's own user endpoint is not preferred over it.
    useGrantedResource: () => true,
  }
}

/** A client for itself gets what it asked for, or all that it may have; never silently less (RFC 6749, section 3.3). */
function defaultScope(ctx: KoaContextWithOIDC, allowed: readonly string[]): void {
  const params = ctx.oidc.params as Record<string, unknown>
  const asked = params['scope']
  if (asked === undefined || asked === '') {
    if (allowed.length > 0) params['scope'] = allowed.join(' ')
    return
  }
  const missing = missingScopes(allowed, String(asked).split(' ').filter(Boolean))
  if (missing.length > 0)
    throw new errors.InvalidScope('requested scope is not allowed', missing.slice(0, 5).join(' '))
}
