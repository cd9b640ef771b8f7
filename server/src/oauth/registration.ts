/**
 * Dynamic client registration (RFC 7591), where the deployment has it: a stranger describes a client, which then acts for
 * users alone and is always shown to them. It gets no secret: anybody could have one for the asking, so it proves nothing.
 */
import { type AdapterPayload, errors } from 'oidc-provider'
import { type ClientInput, createClient } from '../clients/index.ts'
import { PosternError, systemCaller } from '../kernel/index.ts'
import type { TokenBuckets } from '../limits/index.ts'
import { evidence } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'

/** For each address: registering is work and storage that strangers cause. */
export const REGISTRATIONS = { perSecond: 1 / 30, burst: 10 }

const STRANGER = systemCaller([])

/** Stores what the engine has checked. Throws the engine's errors. */
export async function register(
  { storage, changes }: Pick<OAuthPorts, 'storage' | 'changes'>,
  registrations: TokenBuckets,
  id: string,
  metadata: AdapterPayload,
): Promise<void> {
  if (registrations.take(evidence().ip) > 0)
    throw new errors.TemporarilyUnavailable('too many registrations from here; try again in a minute')
  const input = toInput(metadata as Record<string, unknown>)
  try {
    await storage.write((tx) => createClient(tx, changes, STRANGER, input, id))
  } catch (error) {
    if (error instanceof PosternError && error.code === 'invalid_request')
      throw new errors.InvalidClientMetadata(error.message)
    throw error
  }
}

function toInput(metadata: Record<string, unknown>): ClientInput {
  const texts = (name: string): string[] =>
    Array.isArray(metadata[name]) ? (metadata[name] as unknown[]).map(String) : []
  const proves = metadata['token_endpoint_auth_method'] === 'private_key_jwt'
  const { client_name: name, jwks, jwks_uri: jwksUri } = metadata
  return {
    name: typeof name === 'string' && name !== '' ? name.slice(0, 100) : 'A client that registered itself',
    kind: metadata['application_type'] === 'native' ? 'native' : proves ? 'web' : 'browser',
    tenantId: null,
    selfRegistered: true,
    grantTypes: texts('grant_types') as ClientInput['grantTypes'],
    authMethod: proves ? 'private_key_jwt' : 'none',
    redirectUris: texts('redirect_uris'),
    // No origin may call in its name until an operator says so.
    corsOrigins: [],
    ...(proves && jwks !== undefined && { jwks: jwks as ClientInput['jwks'] }),
    ...(proves && typeof jwksUri === 'string' && { jwksUri }),
  }
}
