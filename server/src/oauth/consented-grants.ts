/**
 * Grants: one for each authorization, with just what was asked for and allowed, so that scopes do not pile up and one
 * device can be cut off. What the user allowed before is remembered beside them (see clients/consents.ts).
 */
import { errors, type Grant, type Interaction, type KoaContextWithOIDC, type Provider } from 'oidc-provider'
import { type ConsentedScopes, covers, findConsent } from '../clients/index.ts'
import type { Storage } from '../storage/index.ts'
import type { GrantMembers } from './access-token.ts'
import { privilegesOf } from './client-metadata.ts'
import { evidence } from './evidence.ts'
import type { People, TenantMembership } from './people.ts'
import { OPENID_SCOPES, resourceOfUri, scopesFor } from './resource-servers.ts'

export interface GrantPorts {
  readonly storage: Storage
  readonly people: People
}

export type OurGrant = Grant & GrantMembers

/** The grant for this authorization; undefined means that the user is asked. */
export async function loadGrant(ports: GrantPorts, ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
  const { oidc } = ctx
  const { provider } = oidc
  const consented = oidc.result?.consent?.grantId
  if (consented !== undefined) return provider.Grant.find(consented)

  const client = oidc.client as object & { clientId: string }
  const accountId = oidc.session?.accountId
  if (accountId === undefined) return undefined
  const choices = await tenantChoices(ports.people, client, accountId)
  const [only] = choices
  // Several to choose from: the consent page asks.
  if (choices.length !== 1 || !only) return undefined

  const asked = askedScopes(ctx)
  const allowed =
    privilegesOf(client)?.firstParty === true ||
    covers(
      await findConsent(ports.storage, {
        userId: accountId,
        clientId: client.clientId,
        tenantId: only.tenantId,
      }),
      asked,
    )
  if (!allowed) return undefined
  const live = await ports.people.currentSession({ headers: ctx.req.headers, ip: evidence().ip })
  return grantOf(provider, {
    accountId,
    client,
    tenant: only.tenantId,
    scopes: asked,
    session: live?.user.id === accountId ? live.session.id : undefined,
  })
}

/** Which of a user's tenants a client may serve. Throws `access_denied` when there is none. */
export async function tenantChoices(
  people: People,
  client: object,
  userId: string,
): Promise<TenantMembership[]> {
  const own = privilegesOf(client)?.tenantId ?? null
  const choices = (await people.tenantsOf(userId)).filter(
    ({ tenantId, tenantDisabled }) => !tenantDisabled && (own === null || tenantId === own),
  )
  if (choices.length === 0)
    throw new errors.AccessDenied('The user is not a member of an organization that this application serves.')
  return choices
}

export interface NewGrant {
  readonly accountId: string
  readonly client: object & { readonly clientId: string }
  readonly tenant: string
  readonly scopes: ConsentedScopes
  /** The session in which it is given. */
  readonly session: string | undefined
}

/** Stores it. It ends with the session unless the application runs on a device, or was allowed to outlive it. */
export async function grantOf(provider: Provider, given: NewGrant): Promise<OurGrant> {
  const { accountId, client, tenant, scopes, session } = given
  const grant = new provider.Grant({ accountId, clientId: client.clientId }) as OurGrant
  grant.tenant = tenant
  if (session !== undefined && endsWithSession(client, scopes)) grant.session = session
  if (scopes.openid.length > 0) grant.addOIDCScope(scopes.openid.join(' '))
  for (const [uri, names] of Object.entries(scopes.resources))
    if (names.length > 0) grant.addResourceScope(uri, names.join(' '))
  await grant.save()
  return grant
}

function endsWithSession(client: object, { openid }: ConsentedScopes): boolean {
  const kind = privilegesOf(client)?.kind
  return (kind === 'web' || kind === 'browser') && !openid.includes('offline_access')
}

/** What this request asks for, of what there is. */
function askedScopes(ctx: KoaContextWithOIDC): ConsentedScopes {
  const { oidc } = ctx
  const asked = [...oidc.requestParamScopes]
  const servers = oidc.resourceServers as Record<string, { scopes: ReadonlySet<string> }> | undefined
  return {
    openid: [...oidc.requestParamOIDCScopes],
    resources: Object.fromEntries(
      Object.entries(servers ?? {}).map(([uri, { scopes }]) => [
        uri,
        asked.filter((scope) => scopes.has(scope)),
      ]),
    ),
  }
}

export type ConsentQuestion = ConsentedScopes

/** The same, of a request that waits: all that it asks for, not only what is new, so that the page says what is given. */
export async function questionOf(
  { storage }: GrantPorts,
  client: object,
  waiting: Interaction,
): Promise<ConsentQuestion> {
  const { scope, resource } = waiting.params as { scope?: string; resource?: string | string[] }
  const asked = [...new Set((scope ?? '').split(' ').filter(Boolean))]
  const openid: readonly string[] = OPENID_SCOPES
  const resources: Record<string, string[]> = {}
  for (const uri of resource === undefined ? [] : [resource].flat()) {
    const found = await resourceOfUri(storage, uri)
    const allowed = found && scopesFor(client, found)
    if (allowed) resources[uri] = asked.filter((name) => allowed.includes(name))
  }
  return { openid: asked.filter((name) => openid.includes(name)), resources }
}
