/** /v1/resources */
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
  Rfc3339,
  ScopeName,
} from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { createResource, deleteResource, updateResource } from './change-resources.ts'
import { getResource, listResources } from './read-resources.ts'
import { LEAK_POLICIES, type Resource, SELF_ROTATIONS, TOKEN_ALGORITHMS, TOKEN_FORMATS } from './resource.ts'

export interface ResourceRoutes {
  readonly storage: Storage
  readonly changes: Changes
  readonly idempotency: Idempotency
}

const Description = Type.String({ maxLength: 500, pattern: '^[^\\u0000]*$' })
const Settings = {
  name: Name,
  scopes: Type.Array(Type.Object({ name: ScopeName, description: Description }), { maxItems: 200 }),
  key_prefix: Type.String({ pattern: '^[a-z][a-z0-9]{0,15}$', description: 'What its keys start with.' }),
  key_lifetime_seconds: Nullable(
    Type.Integer({
      minimum: 60,
      maximum: 3_153_600_000,
      description: 'How long a key lives when nothing else is asked for; null: for ever.',
    }),
  ),
  token_lifetime_seconds: Type.Integer({ minimum: 30, maximum: 86_400 }),
  token_algorithm: Type.Enum([...TOKEN_ALGORITHMS]),
  access_token_format: Type.Enum([...TOKEN_FORMATS], {
    description: '`jwt`: services can check it by themselves. `opaque`: the server is asked.',
  }),
  allow_browser_keys: Type.Boolean({ description: 'Whether live keys may come from a browser.' }),
  scopes_by_role: Type.Boolean({
    description: 'Whether the tokens of people have only those scopes that their roles allow.',
  }),
  cache_seconds: Type.Integer({
    minimum: 0,
    maximum: 3_600,
    description: 'How long a verifier may keep an answer without asking again.',
  }),
  leak_policy: Type.Enum([...LEAK_POLICIES], {
    description: 'What happens to a key of it that is found in public: see docs/leaks.md.',
  }),
  leak_notice_seconds: Type.Integer({
    minimum: 60,
    maximum: 2_592_000,
    description: 'With `rotate`: how long a leaked key goes on.',
  }),
  key_max_age_seconds: Nullable(
    Type.Integer({
      minimum: 3_600,
      maximum: 3_153_600_000,
      description: 'How old a key or a client secret may become before it is overdue; null: as it likes.',
    }),
  ),
  rotation_notice_seconds: Type.Integer({
    minimum: 0,
    maximum: 31_536_000,
    description: 'How long before that, or before its end, is warned.',
  }),
  self_rotation: Type.Enum([...SELF_ROTATIONS], {
    description:
      'Whether a key may replace itself (POST /v1/keys/self/rotate): with a successor of the `same_end`, or one that lives as long again (`renew`).',
  }),
}
const Optional = {
  key_prefix: Type.Optional(Settings.key_prefix),
  key_lifetime_seconds: Type.Optional(Settings.key_lifetime_seconds),
  token_lifetime_seconds: Type.Optional(Settings.token_lifetime_seconds),
  token_algorithm: Type.Optional(Settings.token_algorithm),
  access_token_format: Type.Optional(Settings.access_token_format),
  allow_browser_keys: Type.Optional(Settings.allow_browser_keys),
  scopes_by_role: Type.Optional(Settings.scopes_by_role),
  cache_seconds: Type.Optional(Settings.cache_seconds),
  leak_policy: Type.Optional(Settings.leak_policy),
  leak_notice_seconds: Type.Optional(Settings.leak_notice_seconds),
  key_max_age_seconds: Type.Optional(Settings.key_max_age_seconds),
  rotation_notice_seconds: Type.Optional(Settings.rotation_notice_seconds),
  self_rotation: Type.Optional(Settings.self_rotation),
}

const ResourceBody = Type.Object({
  id: Type.String(),
  uri: Type.String(),
  ...Settings,
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const Input = Type.Object({
  uri: Type.String({ minLength: 3, maxLength: 500, examples: ['https://api.example.com'] }),
  name: Settings.name,
  scopes: Settings.scopes,
  ...Optional,
})
const Patch = Type.Object(
  { name: Type.Optional(Settings.name), scopes: Type.Optional(Settings.scopes), ...Optional },
  { minProperties: 1 },
)

const tags = ['Resources']

export function resourceRoutes(
  server: FastifyInstance,
  { storage, changes, idempotency }: ResourceRoutes,
): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/resources',
    access: { kind: 'management', scope: 'resources:read' },
    summary: 'List resources',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(ResourceBody) } },
    async handler({ caller, query }) {
      const page = await listResources(storage, caller, query)
      return { data: page.data.map(presentResource), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/resources',
    access: { kind: 'management', scope: 'resources:write' },
    summary: 'Create a resource',
    description:
      'A protected API, named by its URI (RFC 8707), with the scopes it knows. It serves all tenants.',
    tags,
    idempotent: true,
    schema: { body: Input, response: { 201: ResourceBody } },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { uri, name, scopes } = request.body
        return presentResource(
          await createResource(tx, changes, request.caller, {
            ...settingsOf(request.body),
            uri,
            name,
            scopes,
          }),
        )
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/resources/:id',
    access: { kind: 'management', scope: 'resources:read' },
    summary: 'Read a resource',
    tags,
    schema: { params: IdParams, response: { 200: ResourceBody } },
    handler: async ({ caller, params }) => presentResource(await getResource(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/resources/:id',
    access: { kind: 'management', scope: 'resources:write' },
    summary: 'Change a resource',
    description: 'A scope that is taken away stops counting for the keys that hold it. The URI stays.',
    tags,
    schema: { params: IdParams, body: Patch, response: { 200: ResourceBody } },
    async handler({ caller, params, body }) {
      return presentResource(
        await storage.write((tx) => updateResource(tx, changes, caller, params.id, settingsOf(body))),
      )
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/resources/:id',
    access: { kind: 'management', scope: 'resources:write' },
    summary: 'Delete a resource',
    description: 'All of its keys stop working at once. This cannot be undone.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteResource(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })
}

function settingsOf(body: Static<typeof Patch>) {
  return {
    name: body.name,
    scopes: body.scopes,
    keyPrefix: body.key_prefix,
    keyLifetimeSeconds: body.key_lifetime_seconds,
    tokenLifetimeSeconds: body.token_lifetime_seconds,
    tokenAlgorithm: body.token_algorithm,
    accessTokenFormat: body.access_token_format,
    allowBrowserKeys: body.allow_browser_keys,
    scopesByRole: body.scopes_by_role,
    cacheSeconds: body.cache_seconds,
    leakPolicy: body.leak_policy,
    leakNoticeSeconds: body.leak_notice_seconds,
    keyMaxAgeSeconds: body.key_max_age_seconds,
    rotationNoticeSeconds: body.rotation_notice_seconds,
    selfRotation: body.self_rotation,
  }
}

function presentResource(resource: Resource): Static<typeof ResourceBody> {
  return {
    id: resource.id,
    uri: resource.uri,
    name: resource.name,
    scopes: [...resource.scopes],
    key_prefix: resource.keyPrefix,
    key_lifetime_seconds: resource.keyLifetimeSeconds,
    token_lifetime_seconds: resource.tokenLifetimeSeconds,
    token_algorithm: resource.tokenAlgorithm,
    access_token_format: resource.accessTokenFormat,
    allow_browser_keys: resource.allowBrowserKeys,
    scopes_by_role: resource.scopesByRole,
    cache_seconds: resource.cacheSeconds,
    leak_policy: resource.leakPolicy,
    leak_notice_seconds: resource.leakNoticeSeconds,
    key_max_age_seconds: resource.keyMaxAgeSeconds,
    rotation_notice_seconds: resource.rotationNoticeSeconds,
    self_rotation: resource.selfRotation,
    created_at: rfc3339(resource.createdAtMs),
    updated_at: rfc3339(resource.updatedAtMs),
  }
}
