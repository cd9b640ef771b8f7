/** /v1/keys: one key at a time. Bulk work is in bulk-routes.ts. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Metadata,
  Name,
  Nullable,
  PageOf,
  PageQuery,
  parseTime,
  Reason,
  Rfc3339,
  Scopes,
  TenantId,
} from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { impliedTenant } from '../tenants/index.ts'
import { revokeApiKey, setApiKeyDisabled, updateApiKey } from './change-api-keys.ts'
import { FilterMembers, readFilter } from './filter-schema.ts'
import { issueApiKey } from './issue-api-key.ts'
import type { KeyContext } from './key-context.ts'
import { IssuedKeyBody, KeyBody, NetworkBody, type KeyPresenter, presentNetwork } from './present-key.ts'
import { getApiKey, getNetworks, getRotation, listApiKeys } from './read-api-keys.ts'
import { LONGEST_OVERLAP_SECONDS, rotateApiKey } from './rotate-api-key.ts'

export interface KeyRoutes {
  readonly storage: Storage
  readonly context: KeyContext
  readonly idempotency: Idempotency
  readonly present: KeyPresenter
}

export const Owner = Type.String({
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000-\\u001F\\u007F]+$',
  description: 'Your own id for whoever holds the key; the `sub` of its Principal.',
})
export const IpAllow = Type.Array(Type.String({ maxLength: 60 }), {
  maxItems: 100,
  description: 'Addresses and CIDR blocks the key may be used from; empty: anywhere.',
})
export const OverlapSeconds = Type.Integer({
  minimum: 0,
  maximum: LONGEST_OVERLAP_SECONDS,
  description: 'How long the old key goes on working; one day unless told, 0 ends it at once.',
})
export const ExpiresAt = Type.Optional(
  Nullable(Type.Unsafe<string>({ ...Rfc3339, description: 'Null: never, which has to be said.' })),
)
export const ExpiresIn = Type.Optional(Type.Integer({ minimum: 1, maximum: 3_153_600_000 }))

const read = { kind: 'management', scope: 'keys:read' } as const
const write = { kind: 'management', scope: 'keys:write' } as const
const tags = ['API keys']

export function keyRoutes(
  server: FastifyInstance,
  { storage, context, idempotency, present }: KeyRoutes,
): void {
  const now = (): number => context.changes.clock.nowMs()

  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys',
    access: read,
    summary: 'List API keys',
    tags,
    schema: {
      querystring: Type.Object({ ...PageQuery, ...FilterMembers }),
      response: { 200: PageOf(KeyBody) },
    },
    async handler({ caller, query }) {
      const filter = await readFilter(storage, caller, query)
      const page = await listApiKeys(storage, caller, filter, query, now())
      return { data: await present.keys(page.data), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys',
    access: write,
    summary: 'Issue an API key',
    description: 'The answer is the only place where the key itself is shown.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        name: Name,
        owner: Owner,
        resource: Type.String({ maxLength: 500, description: 'Its URI or id.' }),
        scopes: Scopes,
        tenant: Type.Optional(TenantId),
        environment: Type.Optional(Type.Enum(['live', 'test'])),
        not_before: Type.Optional(Rfc3339),
        expires_at: ExpiresAt,
        expires_in_seconds: ExpiresIn,
        ip_allow: Type.Optional(IpAllow),
        metadata: Type.Optional(Metadata),
      }),
      response: { 201: IssuedKeyBody },
    },
    async handler(request, reply) {
      const { body, caller } = request
      const resource = await getResource(storage, caller, body.resource)
      const tenantId = await impliedTenant(storage, caller, body.tenant)
      const input = {
        tenantId,
        resourceId: resource.id,
        owner: body.owner,
        name: body.name,
        scopes: body.scopes,
        environment: body.environment,
        notBeforeMs: parseTime('/not_before', body.not_before),
        expiresAtMs: parseTime('/expires_at', body.expires_at),
        expiresInSeconds: body.expires_in_seconds,
        ipAllow: body.ip_allow,
        metadata: body.metadata,
      }
      return create(idempotency, request, reply, 201, async (tx) =>
        present.issued(await issueApiKey(tx, context, caller, input)),
      )
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys/:id',
    access: read,
    summary: 'Read an API key',
    tags,
    schema: { params: IdParams, response: { 200: KeyBody } },
    handler: async ({ caller, params }) => present.key(await getApiKey(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/keys/:id',
    access: write,
    summary: 'Change an API key',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        {
          name: Type.Optional(Name),
          scopes: Type.Optional(Scopes),
          expires_at: ExpiresAt,
          ip_allow: Type.Optional(IpAllow),
          metadata: Type.Optional(Metadata),
        },
        { minProperties: 1 },
      ),
      response: { 200: KeyBody },
    },
    async handler({ caller, params, body }) {
      const patch = {
        name: body.name,
        scopes: body.scopes,
        expiresAtMs: parseTime('/expires_at', body.expires_at),
        ipAllow: body.ip_allow,
        metadata: body.metadata,
      }
      return present.key(await storage.write((tx) => updateApiKey(tx, context, caller, params.id, patch)))
    },
  })

  for (const disabled of [true, false])
    declareRoute(server, {
      method: 'POST',
      url: `/v1/keys/:id/${disabled ? 'disable' : 'enable'}`,
      access: write,
      summary: disabled ? 'Disable an API key' : 'Enable an API key',
      tags,
      schema: { params: IdParams, response: { 200: KeyBody } },
      async handler({ caller, params }) {
        return present.key(
          await storage.write((tx) => setApiKeyDisabled(tx, context, caller, params.id, disabled)),
        )
      },
    })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/:id/revoke',
    access: write,
    summary: 'Revoke an API key',
    description: 'For ever. Revoking it again changes nothing.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ reason: Type.Optional(Reason) }),
      response: { 200: KeyBody },
    },
    async handler({ caller, params, body }) {
      return present.key(
        await storage.write((tx) => revokeApiKey(tx, context, caller, params.id, body.reason)),
      )
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/:id/rotate',
    access: write,
    summary: 'Rotate an API key',
    description: 'The new key works at once; the old one goes on for the overlap.',
    tags,
    idempotent: true,
    schema: {
      params: IdParams,
      body: Type.Object({ overlap_seconds: Type.Optional(OverlapSeconds), expires_at: ExpiresAt }),
      response: { 201: Type.Object({ key: IssuedKeyBody, old: KeyBody }) },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { body, caller, params } = request
        const { issued, old } = await rotateApiKey(tx, context, caller, params.id, {
          overlapSeconds: body.overlap_seconds,
          expiresAtMs: parseTime('/expires_at', body.expires_at),
        })
        return { key: await present.issued(issued), old: await present.key(old) }
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys/:id/rotation',
    access: read,
    summary: 'Read the state of a rotation',
    description: 'Whether the old key is still in use since it was rotated, and from where.',
    tags,
    schema: {
      params: IdParams,
      response: {
        200: Type.Object({
          old: Type.Object({
            id: Type.String(),
            rotated_at: Nullable(Rfc3339),
            ends_at: Nullable(Rfc3339),
            still_in_use: Type.Boolean(),
            last_used_at: Nullable(Rfc3339),
            networks: Type.Array(NetworkBody),
          }),
          new: Type.Object({ id: Type.String(), last_used_at: Nullable(Rfc3339) }),
        }),
      },
    },
    async handler({ caller, params }) {
      const { old, successor, networksSince } = await getRotation(storage, caller, params.id)
      return {
        old: {
          id: old.id,
          rotated_at: rfc3339(old.rotatedAtMs),
          ends_at: rfc3339(old.expiresAtMs),
          still_in_use: networksSince.length > 0,
          last_used_at: rfc3339(old.lastUsedAtMs),
          networks: networksSince.map(presentNetwork),
        },
        new: { id: successor.id, last_used_at: rfc3339(successor.lastUsedAtMs) },
      }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys/:id/networks',
    access: read,
    summary: 'List where an API key was used from',
    description: 'The latest 20 networks, coarse.',
    tags,
    schema: { params: IdParams, response: { 200: Type.Object({ data: Type.Array(NetworkBody) }) } },
    handler: async ({ caller, params }) => ({
      data: (await getNetworks(storage, caller, params.id)).map(presentNetwork),
    }),
  })
}
