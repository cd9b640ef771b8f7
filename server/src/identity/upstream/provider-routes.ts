/** /v1/sign-in-providers */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { create, declareRoute, IdParams, Name, Rfc3339 } from '../../http/index.ts'
import { notFound, rfc3339 } from '../../kernel/index.ts'
import type { Idempotency } from '../../storage/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { createProvider, deleteProvider, listProviders, updateProvider } from './change-providers.ts'
import type { Provider } from './provider.ts'

const read = { kind: 'management', scope: 'users:read' } as const
const write = { kind: 'management', scope: 'users:write' } as const
const tags = ['Sign-in providers']
const Secret = Type.String({ minLength: 1, maxLength: 2_000, examples: ['what the provider gave you'] })

const ProviderBody = Type.Object({
  id: Type.String({ examples: ['idp_0QxM1w3b7Zq8Rk5Jt2Hn9d'] }),
  name: Type.String(),
  kind: Type.String({ description: '`oidc` or `github`.' }),
  issuer: Type.String(),
  client_id: Type.String(),
  redirect_uri: Type.String({ description: 'To be registered at the provider.' }),
  disabled: Type.Boolean(),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

export function providerRoutes(
  server: FastifyInstance,
  identity: IdentityContext,
  idempotency: Idempotency,
): void {
  const { storage, issuer: own } = identity

  declareRoute(server, {
    method: 'GET',
    url: '/v1/sign-in-providers',
    access: read,
    summary: 'List the sign-in providers',
    tags,
    schema: { response: { 200: Type.Object({ data: Type.Array(ProviderBody) }) } },
    handler: async ({ caller }) => ({ data: (await listProviders(storage, caller)).map(present) }),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/sign-in-providers',
    access: write,
    summary: 'Let people sign in with an account elsewhere',
    description:
      'Register `redirect_uri` of the answer there. `github` is GitHub or, with its `issuer`, a GitHub Enterprise Server; every other provider is found by the discovery document of its `issuer`. The secret is never shown again.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        name: Name,
        kind: Type.Optional(Type.Union([Type.Literal('oidc'), Type.Literal('github')])),
        issuer: Type.Optional(Type.String({ maxLength: 500, examples: ['https://accounts.google.com'] })),
        client_id: Type.String({ minLength: 1, maxLength: 500, examples: ['postern'] }),
        client_secret: Secret,
      }),
      response: { 201: ProviderBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { name, kind = 'oidc', issuer, client_id: clientId, client_secret: clientSecret } = request.body
        const input = { name, kind, issuer, clientId, clientSecret }
        return present(await createProvider(tx, identity, request.caller, input))
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/sign-in-providers/:id',
    access: read,
    summary: 'Read a sign-in provider',
    tags,
    schema: { params: IdParams, response: { 200: ProviderBody } },
    async handler({ caller, params }) {
      const found = (await listProviders(storage, caller)).find(({ id }) => id === params.id)
      if (!found) throw notFound('sign-in provider')
      return present(found)
    },
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/sign-in-providers/:id',
    access: write,
    summary: 'Change a sign-in provider',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        {
          name: Type.Optional(Name),
          client_secret: Type.Optional(Secret),
          disabled: Type.Optional(Type.Boolean()),
        },
        { minProperties: 1 },
      ),
      response: { 200: ProviderBody },
    },
    async handler({ caller, params, body }) {
      const { name, client_secret: clientSecret, disabled } = body
      const patch = { name, clientSecret, disabled }
      return present(await storage.write((tx) => updateProvider(tx, identity, caller, params.id, patch)))
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/sign-in-providers/:id',
    access: write,
    summary: 'Delete a sign-in provider',
    description: 'And what people have connected there. Their accounts and sessions stay.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteProvider(tx, identity, caller, params.id))
      return reply.status(204).send()
    },
  })

  function present(provider: Provider): Static<typeof ProviderBody> {
    return {
      id: provider.id,
      name: provider.name,
      kind: provider.kind,
      issuer: provider.issuer,
      client_id: provider.clientId,
      redirect_uri: `${own}/sign-in/upstream/callback`,
      disabled: provider.disabledAtMs !== null,
      created_at: rfc3339(provider.createdAtMs),
      updated_at: rfc3339(provider.updatedAtMs),
    }
  }
}
