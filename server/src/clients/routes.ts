/** /v1/clients */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Name,
  Nullable,
  PageOf,
  PageQuery,
  parseTime,
  Rfc3339,
  ScopeName,
  TenantId,
} from '../http/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { impliedTenant } from '../tenants/index.ts'
import { getResource } from '../resources/index.ts'
import type { Caller } from '../kernel/index.ts'
import { createClient, deleteClient, updateClient } from './change-clients.ts'
import { addClientSecret, revokeClientSecret } from './change-secrets.ts'
import {
  AUTH_METHODS,
  CLIENT_KINDS,
  type ClientSettings,
  GRANT_TYPES,
  ID_TOKEN_ALGORITHMS,
} from './client.ts'
import {
  AddedSecretBody,
  ClientBody,
  presentClient,
  presentSecret,
  RegisteredClientBody,
} from './present-client.ts'
import { getClient, listClients } from './read-clients.ts'

export interface ClientRoutes {
  readonly storage: Storage
  readonly changes: Changes
  readonly idempotency: Idempotency
}

const Uri = Type.String({ minLength: 1, maxLength: 2_000 })
const Uris = Type.Array(Uri, { maxItems: 50 })
const ResourceName = Type.String({ maxLength: 500, description: 'A resource, by its id or URI.' })

const Settings = {
  grant_types: Type.Optional(Type.Array(Type.Enum([...GRANT_TYPES]), { maxItems: 5, uniqueItems: true })),
  auth_method: Type.Optional(Type.Enum([...AUTH_METHODS])),
  redirect_uris: Type.Optional(Uris),
  post_logout_redirect_uris: Type.Optional(Uris),
  cors_origins: Type.Optional(
    Type.Array(Type.String({ maxLength: 300 }), { maxItems: 50, uniqueItems: true }),
  ),
  resources: Type.Optional(
    Type.Array(
      Type.Object({
        resource: ResourceName,
        scopes: Type.Optional(Nullable(Type.Array(ScopeName, { maxItems: 200, uniqueItems: true }))),
      }),
      { maxItems: 50 },
    ),
  ),
  introspects: Type.Optional(
    Type.Array(ResourceName, { maxItems: 50, description: 'Resources whose tokens it may introspect.' }),
  ),
  first_party: Type.Optional(Type.Boolean({ description: 'Its users are not asked for consent.' })),
  dpop_bound: Type.Optional(Type.Boolean()),
  id_token_signed_response_alg: Type.Optional(Type.Enum([...ID_TOKEN_ALGORITHMS])),
  jwks: Type.Optional(
    Nullable(
      Type.Object({
        keys: Type.Array(Type.Record(Type.String(), Type.Unknown()), { minItems: 1, maxItems: 20 }),
      }),
    ),
  ),
  jwks_uri: Type.Optional(Nullable(Uri)),
  backchannel_logout_uri: Type.Optional(Nullable(Uri)),
}
const SettingsBody = Type.Object(Settings)

const tags = ['Clients']

export function clientRoutes(server: FastifyInstance, { storage, changes, idempotency }: ClientRoutes): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/clients',
    access: { kind: 'management', scope: 'clients:read' },
    summary: 'List OAuth clients',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        tenant: Type.Optional(TenantId),
        kind: Type.Optional(Type.Enum([...CLIENT_KINDS])),
      }),
      response: { 200: PageOf(ClientBody) },
    },
    async handler({ caller, query }) {
      const page = await listClients(storage, caller, { tenant: query.tenant, kind: query.kind }, query)
      return { data: page.data.map(presentClient), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/clients',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Register an OAuth client',
    description:
      'The `kind` brings the right defaults: grant types, how it authenticates, which redirect URIs it may have.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        ...Settings,
        name: Name,
        kind: Type.Enum([...CLIENT_KINDS]),
        tenant: Type.Optional(Nullable(TenantId)),
      }),
      response: { 201: RegisteredClientBody },
    },
    async handler(request, reply) {
      const { body, caller } = request
      const tenantId = body.tenant === null ? null : await impliedTenant(storage, caller, body.tenant)
      const settings = await settingsOf(storage, caller, body)
      return create(idempotency, request, reply, 201, async (tx) => {
        const input = { ...settings, name: body.name, kind: body.kind, tenantId }
        const { client, secret } = await createClient(tx, changes, caller, input)
        return { ...presentClient(client), ...(secret !== undefined && { client_secret: secret }) }
      })
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/clients/:id',
    access: { kind: 'management', scope: 'clients:read' },
    summary: 'Read an OAuth client',
    tags,
    schema: { params: IdParams, response: { 200: ClientBody } },
    handler: async ({ caller, params }) => presentClient(await getClient(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/clients/:id',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Change an OAuth client',
    description:
      'Disabling it ends every token and grant it was given, for good; enabling lets it get new ones.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        { ...Settings, name: Type.Optional(Name), disabled: Type.Optional(Type.Boolean()) },
        { minProperties: 1 },
      ),
      response: { 200: ClientBody },
    },
    async handler({ caller, params, body }) {
      const settings = await settingsOf(storage, caller, body)
      const patch = { ...settings, name: body.name, disabled: body.disabled }
      return presentClient(await storage.write((tx) => updateClient(tx, changes, caller, params.id, patch)))
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/clients/:id',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Delete an OAuth client',
    description: 'Every token, grant and secret it had stops working at once. This cannot be undone.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteClient(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/clients/:id/secrets',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Add a client secret',
    description:
      'Both work until the old one ends: add one, roll it out, then revoke the old or let it expire.',
    tags,
    idempotent: true,
    schema: {
      params: IdParams,
      body: Type.Optional(
        Type.Object({
          expires_at: Type.Optional(Nullable(Rfc3339)),
          end_others_in_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 31_536_000 })),
        }),
      ),
      response: { 201: AddedSecretBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const body = request.body ?? {}
        const { secret, text } = await addClientSecret(tx, changes, request.caller, request.params.id, {
          expiresAtMs: parseTime('/expires_at', body.expires_at),
          endOthersInSeconds: body.end_others_in_seconds,
        })
        return { ...presentSecret(secret), client_secret: text }
      }),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/clients/:id/secrets/:secret/revoke',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Revoke a client secret',
    description: 'With `compromised`, every token and grant that the client was given so far ends, too.',
    tags,
    schema: {
      params: Type.Object({ ...IdParams.properties, secret: Type.String({ maxLength: 200 }) }),
      body: Type.Optional(Type.Object({ compromised: Type.Optional(Type.Boolean()) })),
      response: { 200: ClientBody },
    },
    async handler({ caller, params, body }) {
      return presentClient(
        await storage.write((tx) =>
          revokeClientSecret(tx, changes, caller, params.id, params.secret, body?.compromised === true),
        ),
      )
    },
  })
}

type Loose<T> = { [K in keyof T]?: T[K] | undefined }

/** From the wire's names to ours; resources by their ids. */
async function settingsOf(
  storage: Storage,
  caller: Caller,
  body: Static<typeof SettingsBody>,
): Promise<Loose<ClientSettings>> {
  const idOf = async (name: string): Promise<string> => (await getResource(storage, caller, name)).id
  return {
    grantTypes: body.grant_types,
    authMethod: body.auth_method,
    redirectUris: body.redirect_uris,
    postLogoutRedirectUris: body.post_logout_redirect_uris,
    corsOrigins: body.cors_origins,
    resources:
      body.resources &&
      (await Promise.all(
        body.resources.map(async ({ resource, scopes }) => ({
          resourceId: await idOf(resource),
          scopes: scopes ?? null,
        })),
      )),
    introspects: body.introspects && (await Promise.all(body.introspects.map(idOf))),
    firstParty: body.first_party,
    dpopBound: body.dpop_bound,
    idTokenAlgorithm: body.id_token_signed_response_alg,
    jwks: body.jwks,
    jwksUri: body.jwks_uri,
    backchannelLogoutUri: body.backchannel_logout_uri,
  }
}
