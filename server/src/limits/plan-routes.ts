/** /v1/plans */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { create, declareRoute, IdParams, PageOf, PageQuery, Rfc3339 } from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { createPlan, deletePlan, updatePlan } from './change-plans.ts'
import { MOST_LIMITS } from './limit.ts'
import { LimitBody, presentLimit, readLimit } from './limit-schema.ts'
import type { Plan } from './plan.ts'
import { getPlan, listPlans } from './read-limits.ts'

export interface PlanRoutes {
  readonly storage: Storage
  readonly changes: Changes
  readonly idempotency: Idempotency
}

const PlanName = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
  description: 'Unique; the Principal carries it.',
})
const LimitsBody = Type.Array(LimitBody, { maxItems: MOST_LIMITS })

const PlanBody = Type.Object({
  id: Type.String(),
  name: PlanName,
  limits: Type.Array(LimitBody),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const tags = ['Limits']

export function planRoutes(server: FastifyInstance, { storage, changes, idempotency }: PlanRoutes): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/plans',
    access: { kind: 'management', scope: 'limits:read' },
    summary: 'List plans',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(PlanBody) } },
    async handler({ query }) {
      const page = await listPlans(storage, query)
      return { data: page.data.map(presentPlan), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/plans',
    access: { kind: 'management', scope: 'limits:write' },
    summary: 'Create a plan',
    description: 'A named set of limits, given to keys, owners, clients and tenants.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({ name: PlanName, limits: LimitsBody }),
      response: { 201: PlanBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { name, limits } = request.body
        return presentPlan(
          await createPlan(tx, changes, request.caller, { name, limits: limits.map(readLimit) }),
        )
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/plans/:id',
    access: { kind: 'management', scope: 'limits:read' },
    summary: 'Read a plan',
    description: 'By its id or its name.',
    tags,
    schema: { params: IdParams, response: { 200: PlanBody } },
    handler: async ({ params }) => presentPlan(await getPlan(storage, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/plans/:id',
    access: { kind: 'management', scope: 'limits:write' },
    summary: 'Change a plan',
    description: 'Whatever has the plan has its new limits at once.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        { name: Type.Optional(PlanName), limits: Type.Optional(LimitsBody) },
        { minProperties: 1 },
      ),
      response: { 200: PlanBody },
    },
    async handler({ caller, params, body }) {
      const patch = {
        ...(body.name !== undefined && { name: body.name }),
        ...(body.limits && { limits: body.limits.map(readLimit) }),
      }
      return presentPlan(await storage.write((tx) => updatePlan(tx, changes, caller, params.id, patch)))
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/plans/:id',
    access: { kind: 'management', scope: 'limits:write' },
    summary: 'Delete a plan',
    description: 'Refused while anything has it.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deletePlan(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })
}

function presentPlan(plan: Plan): Static<typeof PlanBody> {
  return {
    id: plan.id,
    name: plan.name,
    limits: plan.limits.map(presentLimit),
    created_at: rfc3339(plan.createdAtMs),
    updated_at: rfc3339(plan.updatedAtMs),
  }
}
