/** /v1/tenants */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Metadata,
  Name,
  Nullable,
  PageOf,
  PageQuery,
  Rfc3339,
  TenantId,
} from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { createTenant, deleteTenant, updateTenant } from './change-tenants.ts'
import { getTenant, listTenants } from './read-tenants.ts'
import type { Tenant } from './tenant.ts'

export interface TenantRoutes {
  readonly storage: Storage
  readonly changes: Changes
  readonly idempotency: Idempotency
}

const ExternalId = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001F\\u007F]+$' })

const TenantBody = Type.Object({
  id: TenantId,
  name: Type.String(),
  external_id: Nullable(Type.String()),
  metadata: Metadata,
  disabled: Type.Boolean(),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const tags = ['Tenants']

export function tenantRoutes(server: FastifyInstance, { storage, changes, idempotency }: TenantRoutes): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/tenants',
    access: { kind: 'management', scope: 'tenants:read' },
    summary: 'List tenants',
    tags,
    schema: {
      querystring: Type.Object({ ...PageQuery, external_id: Type.Optional(ExternalId) }),
      response: { 200: PageOf(TenantBody) },
    },
    async handler({ caller, query }) {
      const page = await listTenants(storage, caller, { externalId: query.external_id }, query)
      return { data: page.data.map(presentTenant), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/tenants',
    access: { kind: 'management', scope: 'tenants:write' },
    summary: 'Create a tenant',
    description: 'A customer organization whose keys, clients, members, audit and usage are kept apart.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        name: Name,
        external_id: Type.Optional(Nullable(ExternalId)),
        metadata: Type.Optional(Metadata),
      }),
      response: { 201: TenantBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { name, external_id: externalId, metadata } = request.body
        return presentTenant(await createTenant(tx, changes, request.caller, { name, externalId, metadata }))
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/tenants/:id',
    access: { kind: 'management', scope: 'tenants:read' },
    summary: 'Read a tenant',
    tags,
    schema: { params: IdParams, response: { 200: TenantBody } },
    handler: async ({ caller, params }) => presentTenant(await getTenant(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/tenants/:id',
    access: { kind: 'management', scope: 'tenants:write' },
    summary: 'Change a tenant',
    description: 'While a tenant is disabled, all of its credentials are refused with `disabled`.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        {
          name: Type.Optional(Name),
          external_id: Type.Optional(Nullable(ExternalId)),
          metadata: Type.Optional(Metadata),
          disabled: Type.Optional(Type.Boolean()),
        },
        { minProperties: 1 },
      ),
      response: { 200: TenantBody },
    },
    async handler({ caller, params, body }) {
      const { name, external_id: externalId, metadata, disabled } = body
      return presentTenant(
        await storage.write((tx) =>
          updateTenant(tx, changes, caller, params.id, { name, externalId, metadata, disabled }),
        ),
      )
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/tenants/:id',
    access: { kind: 'management', scope: 'tenants:write' },
    summary: 'Delete a tenant',
    description: 'Everything it had stops working at once. This cannot be undone.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteTenant(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })
}

function presentTenant(tenant: Tenant): Static<typeof TenantBody> {
  return {
    id: tenant.id,
    name: tenant.name,
    external_id: tenant.externalId,
    metadata: tenant.metadata,
    disabled: tenant.disabledAtMs !== null,
    created_at: rfc3339(tenant.createdAtMs),
    updated_at: rfc3339(tenant.updatedAtMs),
  }
}
