/** Our clients in the words of RFC 7591, as the engine wants them, and what nobody may say of themselves. */
import type { AllClientMetadata } from 'oidc-provider'
import type { Client } from '../clients/index.ts'
import { usesSecret } from '../clients/index.ts'

/** All that only an operator can give. It stands in one member, so that stripping that one strips everything. */
export interface Privileges {
  readonly tenantId: string | null
  readonly kind: Client['kind']
  readonly firstParty: boolean
  readonly secrets: Client['secrets']
  readonly resources: Client['resources']
  readonly introspects: Client['introspects']
  readonly corsOrigins: Client['corsOrigins']
}

export const PRIVILEGES = 'postern'

/** A client of the engine, with our member on it. */
export interface EngineClient {
  readonly clientId: string
  readonly clientName?: string
  readonly applicationType?: string
  readonly clientAuthMethod: string
  readonly redirectUris: readonly string[]
  readonly [PRIVILEGES]?: Privileges
  grantTypeAllowed(type: string): boolean
}

/** Undefined for a client that registered itself, or that is described by its own document. */
export function privilegesOf(client: object): Privileges | undefined {
  return (client as EngineClient)[PRIVILEGES]
}

export function toMetadata(client: Client): AllClientMetadata {
  const withCode = client.grantTypes.includes('authorization_code')
  const privileges: Privileges = {
    tenantId: client.tenantId,
    kind: client.kind,
    firstParty: client.firstParty,
    secrets: client.secrets,
    resources: client.resources,
    introspects: client.introspects,
    corsOrigins: client.corsOrigins,
  }
  return {
    client_id: client.id,
    client_name: client.name,
    application_type: client.kind === 'native' ? 'native' : 'web',
    grant_types: [...client.grantTypes],
    response_types: withCode ? ['code'] : [],
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...client.postLogoutRedirectUris],
    token_endpoint_auth_method: client.authMethod,
    // The engine wants one to be there; it is compared by `compareClientSecret`, which only has digests.
    ...(usesSecret(client) && { client_secret: 'kept as digests' }),
    ...(client.jwks && { jwks: client.jwks as never }),
    ...(client.jwksUri !== null && { jwks_uri: client.jwksUri }),
    ...(client.dpopBound && { dpop_bound_access_tokens: true }),
    id_token_signed_response_alg: client.idTokenAlgorithm,
    ...(client.backchannelLogoutUri !== null && {
      backchannel_logout_uri: client.backchannelLogoutUri,
      backchannel_logout_session_required: true,
    }),
    // Whoever registered itself asks like a stranger, and gets what its user allows.
    ...(!client.selfRegistered && { [PRIVILEGES]: privileges }),
  }
}

/** What a client that nobody registered may use: it acts for users alone. */
const SELF_DESCRIBED_GRANTS = new Set(['authorization_code', 'refresh_token'])

/**
 * Runs over every client that the engine makes. One that comes with a request (dynamic registration) or is named by a URL
 * (a client metadata document) was written by a stranger: it gives itself no privileges.
 */
export function stripPrivileges(ctx: unknown, metadata: Record<string, unknown>): void {
  const id = metadata['client_id']
  const byStranger = ctx !== undefined || (typeof id === 'string' && /^https?:/i.test(id))
  if (!byStranger) return
  delete metadata[PRIVILEGES]
  // What a stranger calls a scope says nothing; what a user allows does.
  delete metadata['scope']
  // A secret that anybody gets for the asking proves nothing.
  if (metadata['token_endpoint_auth_method'] !== 'private_key_jwt') {
    metadata['token_endpoint_auth_method'] = 'none'
    delete metadata['client_secret']
    delete metadata['client_secret_expires_at']
  }
  const grantTypes = metadata['grant_types']
  if (Array.isArray(grantTypes))
    metadata['grant_types'] = grantTypes.filter((type) => SELF_DESCRIBED_GRANTS.has(String(type)))
}
