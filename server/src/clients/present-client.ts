/** A client as the management API shows it: everything but the secrets themselves. */
import { Type, type Static } from 'typebox'
import { Nullable, Rfc3339 } from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import {
  AUTH_METHODS,
  type Client,
  CLIENT_KINDS,
  type ClientSecret,
  GRANT_TYPES,
  ID_TOKEN_ALGORITHMS,
} from './client.ts'

export const SecretBody = Type.Object({
  id: Type.String(),
  last4: Type.String(),
  created_at: Rfc3339,
  expires_at: Nullable(Rfc3339),
})

export const ClientBody = Type.Object({
  id: Type.String({ description: 'The `client_id` (RFC 6749).' }),
  name: Type.String(),
  kind: Type.Enum([...CLIENT_KINDS]),
  tenant: Nullable(Type.String({ description: "Null: it serves every tenant's users." })),
  grant_types: Type.Array(Type.Enum([...GRANT_TYPES])),
  auth_method: Type.Enum([...AUTH_METHODS]),
  redirect_uris: Type.Array(Type.String()),
  post_logout_redirect_uris: Type.Array(Type.String()),
  cors_origins: Type.Array(Type.String()),
  resources: Type.Array(
    Type.Object({
      resource: Type.String({ description: 'The id of a resource.' }),
      scopes: Nullable(Type.Array(Type.String(), { description: 'Null: all of them.' })),
    }),
  ),
  introspects: Type.Array(Type.String()),
  first_party: Type.Boolean(),
  dpop_bound: Type.Boolean(),
  self_registered: Type.Boolean({ description: 'By dynamic registration: it has no privileges.' }),
  id_token_signed_response_alg: Type.Enum([...ID_TOKEN_ALGORITHMS]),
  jwks: Nullable(Type.Object({ keys: Type.Array(Type.Record(Type.String(), Type.Unknown())) })),
  jwks_uri: Nullable(Type.String()),
  backchannel_logout_uri: Nullable(Type.String()),
  secrets: Type.Array(SecretBody),
  disabled: Type.Boolean(),
  created_at: Rfc3339,
  created_by: Type.String(),
  updated_at: Rfc3339,
})

const Secret = Type.String({ description: 'The secret itself. It is shown this once and stored nowhere.' })

export const RegisteredClientBody = Type.Object({
  ...ClientBody.properties,
  client_secret: Type.Optional(Secret),
})
export const AddedSecretBody = Type.Object({ ...SecretBody.properties, client_secret: Secret })

export function presentClient(client: Client): Static<typeof ClientBody> {
  return {
    id: client.id,
    name: client.name,
    kind: client.kind,
    tenant: client.tenantId,
    grant_types: [...client.grantTypes],
    auth_method: client.authMethod,
    redirect_uris: [...client.redirectUris],
    post_logout_redirect_uris: [...client.postLogoutRedirectUris],
    cors_origins: [...client.corsOrigins],
    resources: client.resources.map(({ resourceId, scopes }) => ({
      resource: resourceId,
      scopes: scopes && [...scopes],
    })),
    introspects: [...client.introspects],
    first_party: client.firstParty,
    dpop_bound: client.dpopBound,
    self_registered: client.selfRegistered,
    id_token_signed_response_alg: client.idTokenAlgorithm,
    jwks: client.jwks && { keys: [...client.jwks.keys] },
    jwks_uri: client.jwksUri,
    backchannel_logout_uri: client.backchannelLogoutUri,
    secrets: client.secrets.map(presentSecret),
    disabled: client.disabledAtMs !== null,
    created_at: rfc3339(client.createdAtMs),
    created_by: client.createdBy,
    updated_at: rfc3339(client.updatedAtMs),
  }
}

export function presentSecret(secret: ClientSecret): Static<typeof SecretBody> {
  return {
    id: secret.id,
    last4: secret.last4,
    created_at: rfc3339(secret.createdAtMs),
    expires_at: rfc3339(secret.expiresAtMs),
  }
}
