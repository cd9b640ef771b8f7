/** /v1/limits */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { declareRoute, Nullable, PageOf, PageQuery, Rfc3339, TenantId } from '../http/index.ts'
import { type Caller, rfc3339 } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { impliedTenant } from '../tenants/index.ts'
import { type Aim, clearLimits, type LimitContext, setLimits } from './change-limits.ts'
import { MOST_LIMITS } from './limit.ts'
import { LimitBody, presentLimit, readLimit } from './limit-schema.ts'
import { type LimitTarget, ownerOf, TARGET_KINDS } from './limit-target.ts'
import { getLimits, listLimits } from './read-limits.ts'

export interface LimitRoutes {
  readonly storage: Storage
  readonly context: LimitContext
}

const Kind = Type.Enum([...TARGET_KINDS])
const Target = Type.Object({ on: Kind, id: Type.String({ minLength: 1, maxLength: 300 }) })
const OfTenant = Type.Object({
  tenant: Type.Optional(
    Type.Unsafe<string>({ ...TenantId, description: "An owner's tenant; the default one unless told." }),
  ),
})

const TargetBody = Type.Object({
  on: Kind,
  id: Type.String(),
  tenant: Nullable(Type.String()),
  plan: Nullable(Type.String({ description: 'Its id.' })),
  limits: Type.Array(LimitBody, { description: 'Its own, beside those of its plan.' }),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const tags = ['Limits']

export function limitRoutes(server: FastifyInstance, { storage, context }: LimitRoutes): void {
  const aimOf = async (
    caller: Caller,
    { on, id }: Static<typeof Target>,
    { tenant }: Static<typeof OfTenant>,
  ): Promise<Aim> => ({
    kind: on,
    id,
    tenantId: on === 'owner' ? await impliedTenant(storage, caller, tenant) : '',
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/limits',
    access: { kind: 'management', scope: 'limits:read' },
    summary: 'List what has limits',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        on: Type.Optional(Kind),
        plan: Type.Optional(Type.String({ maxLength: 100, description: 'Its id or name.' })),
      }),
      response: { 200: PageOf(TargetBody) },
    },
    async handler({ caller, query }) {
      const page = await listLimits(storage, caller, { kind: query.on, plan: query.plan }, query)
      return { data: page.data.map(presentTarget), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/limits/:on/:id',
    access: { kind: 'management', scope: 'limits:read' },
    summary: 'Read the limits of one key, owner, client, tenant or resource',
    tags,
    schema: { params: Target, querystring: OfTenant, response: { 200: TargetBody } },
    async handler({ caller, params, query }) {
      const { target } = await getLimits(storage, caller, await aimOf(caller, params, query))
      return presentTarget(target)
    },
  })

  declareRoute(server, {
    method: 'PUT',
    url: '/v1/limits/:on/:id',
    access: { kind: 'management', scope: 'limits:write' },
    summary: 'Give a plan and limits to a key, owner, client, tenant or resource',
    description:
      "What is not named stays. A request passes when every limit of its key, owner, client, tenant and resource lets it. A tenant's and a resource's limits are changed by operators of the deployment alone.",
    tags,
    schema: {
      params: Target,
      querystring: OfTenant,
      body: Type.Object(
        {
          plan: Type.Optional(Nullable(Type.String({ maxLength: 100, description: 'By id or name.' }))),
          limits: Type.Optional(Type.Array(LimitBody, { maxItems: MOST_LIMITS })),
        },
        { minProperties: 1 },
      ),
      response: { 200: TargetBody },
    },
    async handler({ caller, params, query, body }) {
      const aim = await aimOf(caller, params, query)
      const input = { plan: body.plan, limits: body.limits?.map(readLimit) }
      return presentTarget(await storage.write((tx) => setLimits(tx, context, caller, aim, input)))
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/limits/:on/:id',
    access: { kind: 'management', scope: 'limits:write' },
    summary: 'Take plan and limits away',
    tags,
    schema: { params: Target, querystring: OfTenant, response: { 204: Type.Null() } },
    async handler({ caller, params, query }, reply) {
      const aim = await aimOf(caller, params, query)
      await storage.write((tx) => clearLimits(tx, context, caller, aim))
      return reply.status(204).send()
    },
  })
}

function presentTarget(target: LimitTarget): Static<typeof TargetBody> {
  return {
    on: target.kind,
    id: target.kind === 'owner' ? ownerOf(target) : target.target,
    tenant: target.tenantId,
    plan: target.planId,
    limits: target.limits.map(presentLimit),
    created_at: rfc3339(target.createdAtMs),
    updated_at: rfc3339(target.updatedAtMs),
  }
}
