/** /v1/operators */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Name,
  Nullable,
  PageOf,
  PageQuery,
  parseTime,
  Reason,
  TenantId,
} from '../http/index.ts'
import { MANAGEMENT_SCOPES } from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import { createOperator, getOperator, listOperators, revokeOperator, rotateOperator } from './operators.ts'
import { IssuedOperatorBody, OperatorBody, presentIssuedOperator, presentOperator } from './present-key.ts'
import { ExpiresAt, ExpiresIn, type KeyRoutes, OverlapSeconds, Owner } from './routes.ts'

const read = { kind: 'management', scope: 'operators:read' } as const
const write = { kind: 'management', scope: 'operators:write' } as const
const tags = ['Operators']

export function operatorRoutes(server: FastifyInstance, { storage, context, idempotency }: KeyRoutes): void {
  const now = (): number => context.changes.clock.nowMs()

  declareRoute(server, {
    method: 'GET',
    url: '/v1/operators',
    access: read,
    summary: 'List operators',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(OperatorBody) } },
    async handler({ caller, query }) {
      const page = await listOperators(storage, caller, query, now())
      return { data: page.data.map((key) => presentOperator(key, now())), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/operators',
    access: write,
    summary: 'Create an operator',
    description:
      'A credential for this API: for a person, a script, or a service that verifies (scope `verify`). Nobody grants more than they hold.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        name: Name,
        owner: Type.Optional(Owner),
        tenant: Type.Optional(Nullable(TenantId)),
        scopes: Type.Array(Type.Enum(MANAGEMENT_SCOPES.map((scope) => scope.name)), {
          minItems: 1,
          maxItems: 50,
        }),
        resources: Type.Optional(
          Nullable(
            Type.Array(Type.String({ maxLength: 500 }), {
              minItems: 1,
              maxItems: 100,
              description: 'URIs or ids of the resources to be confined to.',
            }),
          ),
        ),
        expires_at: ExpiresAt,
        expires_in_seconds: ExpiresIn,
      }),
      response: { 201: IssuedOperatorBody },
    },
    async handler(request, reply) {
      const { body, caller } = request
      const resources = body.resources
        ? await Promise.all(body.resources.map(async (one) => (await getResource(storage, caller, one)).id))
        : body.resources
      return create(idempotency, request, reply, 201, async (tx) =>
        presentIssuedOperator(
          await createOperator(tx, context, caller, {
            name: body.name,
            owner: body.owner,
            tenant: body.tenant,
            scopes: body.scopes,
            resources,
            expiresAtMs: parseTime('/expires_at', body.expires_at),
            expiresInSeconds: body.expires_in_seconds,
          }),
          now(),
        ),
      )
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/operators/:id',
    access: read,
    summary: 'Read an operator',
    tags,
    schema: { params: IdParams, response: { 200: OperatorBody } },
    handler: async ({ caller, params }) =>
      presentOperator(await getOperator(storage, caller, params.id), now()),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/operators/:id/revoke',
    access: write,
    summary: 'Revoke an operator',
    description: 'For ever. The last deployment operator cannot be revoked.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ reason: Type.Optional(Reason) }),
      response: { 200: OperatorBody },
    },
    async handler({ caller, params, body }) {
      return presentOperator(
        await storage.write((tx) => revokeOperator(tx, context, caller, params.id, body.reason)),
        now(),
      )
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/operators/:id/rotate',
    access: write,
    summary: "Rotate an operator's key",
    tags,
    idempotent: true,
    schema: {
      params: IdParams,
      body: Type.Object({ overlap_seconds: Type.Optional(OverlapSeconds), expires_at: ExpiresAt }),
      response: { 201: Type.Object({ key: IssuedOperatorBody, old: OperatorBody }) },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { body, caller, params } = request
        const { issued, old } = await rotateOperator(tx, context, caller, params.id, {
          overlapSeconds: body.overlap_seconds,
          expiresAtMs: parseTime('/expires_at', body.expires_at),
        })
        return { key: presentIssuedOperator(issued, now()), old: presentOperator(old, now()) }
      }),
  })
}
