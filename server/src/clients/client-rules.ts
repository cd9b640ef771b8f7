/** What a client's settings must meet, whichever operation writes them. */
import {
  type Caller,
  invalid,
  MANAGEMENT_RESOURCE,
  missingScopes,
  notFound,
  reachesResource,
} from '../kernel/index.ts'
import { lockResource } from '../resources/index.ts'
import type { Transaction } from '../storage/index.ts'
import { type Client, isConfidential, KIND_RULES } from './client.ts'
import { checkOrigins, checkRedirectUris, isLoopbackHost } from './redirect-rules.ts'

type Candidate = Omit<
  Client,
  'id' | 'secrets' | 'rsn' | 'createdAtMs' | 'createdBy' | 'updatedAtMs' | 'disabledAtMs'
>
type Rule = (client: Candidate) => void

const grantTypesOfKind: Rule = ({ kind, grantTypes }) => {
  const foreign = grantTypes.find((type) => !KIND_RULES[kind].mayHave.includes(type))
  if (foreign !== undefined)
    throw invalid('/grant_types', `A ${kind} client cannot use the grant type ${foreign}.`)
  if (grantTypes.length === 0) throw invalid('/grant_types', 'A client needs a grant type.')
  if (grantTypes.length === 1 && grantTypes[0] === 'refresh_token')
    throw invalid('/grant_types', 'refresh_token continues another grant type; name that one, too.')
}

const authMethodOfKind: Rule = ({ kind, authMethod }) => {
  if (!KIND_RULES[kind].authMethods.includes(authMethod))
    throw invalid('/auth_method', `A ${kind} client cannot authenticate with ${authMethod}.`)
}

const redirects: Rule = ({ kind, grantTypes, redirectUris, postLogoutRedirectUris }) => {
  checkRedirectUris(kind, '/redirect_uris', redirectUris)
  checkRedirectUris(kind, '/post_logout_redirect_uris', postLogoutRedirectUris)
  if (grantTypes.includes('authorization_code') && redirectUris.length === 0)
    throw invalid('/redirect_uris', 'The authorization code grant needs a redirect URI.')
}

const origins: Rule = ({ kind, corsOrigins }) => {
  if (kind !== 'browser' && corsOrigins.length > 0)
    throw invalid('/cors_origins', 'Only a browser client calls from other origins.')
  checkOrigins(corsOrigins)
}

const keys: Rule = ({ authMethod, jwks, jwksUri }) => {
  if (jwks !== null && jwksUri !== null) throw invalid('/jwks_uri', 'Give either jwks or jwks_uri.')
  if (authMethod === 'private_key_jwt' && jwks === null && jwksUri === null)
    throw invalid('/jwks', 'private_key_jwt needs jwks or jwks_uri.')
  if (jwksUri !== null && !mayBeFetched(jwksUri))
    throw invalid(
      '/jwks_uri',
      'The jwks_uri must be an https URL (http on loopback will do) without a fragment or credentials.',
    )
  for (const [index, key] of (jwks?.keys ?? []).entries())
    if (key['kty'] === 'oct' || 'd' in key || 'k' in key || 'p' in key)
      throw invalid(
        `/jwks/keys/${index}`,
        'This holds a private or symmetric key; register the public one alone.',
      )
}

const logout: Rule = ({ backchannelLogoutUri }) => {
  if (backchannelLogoutUri !== null && !mayBeFetched(backchannelLogoutUri))
    throw invalid(
      '/backchannel_logout_uri',
      'It must be an https URL (http on loopback will do) without a fragment or credentials.',
    )
}

/** A credential of its own belongs to one customer: its tokens say which. */
const tenantOfService: Rule = ({ grantTypes, tenantId }) => {
  if (tenantId === null && grantTypes.includes('client_credentials'))
    throw invalid('/tenant', 'A client that acts for itself needs a tenant.')
}

/** A public client has no secret to prove that it is the one that was trusted. */
const firstPartyIsKnown: Rule = (client) => {
  if (client.firstParty && !isConfidential(client) && client.kind === 'native')
    throw invalid(
      '/first_party',
      'Any program on the device can pose as a native client; its users must be asked.',
    )
}

const RULES: readonly Rule[] = [
  grantTypesOfKind,
  authMethodOfKind,
  redirects,
  origins,
  keys,
  logout,
  tenantOfService,
  firstPartyIsKnown,
]

/** Throws `invalid_request` naming the member at fault. */
export function checkClient(client: Candidate): void {
  for (const rule of RULES) rule(client)
}

/** Throws `not_found` for a resource that is not there or that the caller does not reach, and for unknown scopes. */
export async function checkClientResources(
  tx: Transaction,
  caller: Caller,
  { resources, introspects }: Pick<Client, 'resources' | 'introspects'>,
): Promise<void> {
  const ids = resources.map(({ resourceId }) => resourceId)
  if (new Set(ids).size !== ids.length) throw invalid('/resources', 'A resource is named twice.')
  // In the order of their ids, as every lock is taken.
  for (const id of [...new Set([...ids, ...introspects])].sort()) {
    const reached = id !== MANAGEMENT_RESOURCE && reachesResource(caller, id)
    const resource = reached ? await lockResource(tx, id, 'share') : undefined
    if (!resource) throw notFound(`resource ${id.slice(0, 40)}`)
    const asked = resources.find(({ resourceId }) => resourceId === id)?.scopes ?? []
    const unknown = missingScopes(
      resource.scopes.map(({ name }) => name),
      asked,
    )
    if (unknown.length > 0)
      throw invalid('/resources', `${resource.uri} has no scope ${unknown.slice(0, 5).join(', ')}.`)
  }
}

/** On loopback http will do, while somebody is building; whether it is reached from here is the fetch's to say. */
function mayBeFetched(text: string): boolean {
  const url = URL.parse(text)
  if (!url || url.username !== '' || url.password !== '' || text.includes('#')) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}
