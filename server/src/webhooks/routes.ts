/** /v1/webhooks */
import type { FastifyInstance } from 'fastify'
import { type Static, Type } from 'typebox'
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
  TenantId,
} from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import {
  createEndpoint,
  LONGEST_OVERLAP_SECONDS,
  MOST_REPLAYED,
  removeEndpoint,
  replayDeliveries,
  rotateEndpointSecret,
  testEndpoint,
  updateEndpoint,
  type WebhookContext,
} from './change-endpoints.ts'
import { type Delivery, DELIVERY_STATES, type Endpoint } from './endpoint.ts'
import { EVENT_TYPES, type EventType } from './event-types.ts'
import { getEndpoint, listDeliveries, listEndpoints } from './read-endpoints.ts'

export interface WebhookRoutes {
  readonly storage: Storage
  readonly context: WebhookContext
  readonly idempotency: Idempotency
}

const Url = Type.String({
  minLength: 1,
  maxLength: 2_000,
  examples: ['https://app.example.com/hooks/postern'],
})
const Events = Nullable(
  Type.Array(Type.Enum(Object.keys(EVENT_TYPES)), {
    maxItems: 50,
    uniqueItems: true,
    description: 'Null: all, those to come included.',
  }),
)
const EndpointBody = Type.Object({
  id: Type.String(),
  tenant: Nullable(Type.String({ description: 'Null: the events of the whole deployment.' })),
  name: Type.String(),
  url: Type.String(),
  events: Nullable(Type.Array(Type.String())),
  secrets: Type.Array(Type.Object({ id: Type.String(), created_at: Rfc3339, expires_at: Nullable(Rfc3339) })),
  disabled: Type.Boolean(),
  disabled_reason: Nullable(Type.String()),
  failing_since: Nullable(Rfc3339),
  dropped: Type.Integer({ description: 'Messages that were not queued because too many were waiting.' }),
  created_at: Rfc3339,
  created_by: Type.String(),
  updated_at: Rfc3339,
})
const WithSecretBody = Type.Object({
  ...EndpointBody.properties,
  secret: Type.String({ description: '`whsec_…`: shown this once.' }),
})
const DeliveryBody = Type.Object({
  id: Type.String(),
  message: Type.String({ description: 'The `webhook-id`: the same for every attempt and replay.' }),
  type: Type.String(),
  state: Type.Enum([...DELIVERY_STATES]),
  attempts: Type.Integer(),
  created_at: Rfc3339,
  next_at: Nullable(Rfc3339),
  last_at: Nullable(Rfc3339),
  last_status: Nullable(Type.Integer()),
  last_error: Nullable(Type.String()),
  payload: Type.Unknown(),
})

const tags = ['Webhooks']
const read = { kind: 'management', scope: 'webhooks:read' } as const
const write = { kind: 'management', scope: 'webhooks:write' } as const

export function webhookRoutes(
  server: FastifyInstance,
  { storage, context, idempotency }: WebhookRoutes,
): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/webhooks',
    access: read,
    summary: 'List webhooks',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(EndpointBody) } },
    async handler({ caller, query }) {
      const page = await listEndpoints(storage, caller, query)
      return { data: page.data.map(presentEndpoint), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/webhooks',
    access: write,
    summary: 'Register a webhook',
    description:
      'Where to tell what happens, signed as Standard Webhooks has it. A tenant is told its own events; without one a deployment operator is told all.',
    tags,
    idempotent: true,
    schema: {
      body: Type.Object({
        name: Type.Optional(Name),
        url: Url,
        events: Type.Optional(Events),
        tenant: Type.Optional(TenantId),
      }),
      response: { 201: WithSecretBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { body, caller } = request
        const { endpoint, secret } = await createEndpoint(tx, context, caller, {
          name: body.name,
          url: body.url,
          events: (body.events ?? null) as EventType[] | null,
          tenantId: body.tenant ?? caller.tenant,
        })
        return { ...presentEndpoint(endpoint), secret }
      }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/webhooks/:id',
    access: read,
    summary: 'Read a webhook',
    tags,
    schema: { params: IdParams, response: { 200: EndpointBody } },
    handler: async ({ caller, params }) => presentEndpoint(await getEndpoint(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/webhooks/:id',
    access: write,
    summary: 'Change a webhook',
    description: 'Enabling it again forgets its failures, and what waits for it goes out.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(
        {
          name: Type.Optional(Name),
          url: Type.Optional(Url),
          events: Type.Optional(Events),
          disabled: Type.Optional(Type.Boolean()),
        },
        { minProperties: 1 },
      ),
      response: { 200: EndpointBody },
    },
    async handler({ caller, params, body }) {
      const { name, url, disabled } = body
      const events = body.events as EventType[] | null | undefined
      return presentEndpoint(
        await storage.write((tx) =>
          updateEndpoint(tx, context, caller, params.id, { name, url, events, disabled }),
        ),
      )
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/webhooks/:id',
    access: write,
    summary: 'Delete a webhook',
    description: 'What waits for it is forgotten.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => removeEndpoint(tx, context, caller, params.id))
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/webhooks/:id/secrets',
    access: write,
    summary: "Rotate a webhook's secret",
    description: 'Both sign for the overlap: a receiver that knows either is content.',
    tags,
    idempotent: true,
    schema: {
      params: IdParams,
      body: Type.Object({
        overlap_seconds: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: LONGEST_OVERLAP_SECONDS,
            description: 'How long the others go on signing; a day unless told.',
          }),
        ),
      }),
      response: { 201: WithSecretBody },
    },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) => {
        const { caller, params, body } = request
        const { endpoint, secret } = await rotateEndpointSecret(
          tx,
          context,
          caller,
          params.id,
          body.overlap_seconds,
        )
        return { ...presentEndpoint(endpoint), secret }
      }),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/webhooks/:id/test',
    access: write,
    summary: 'Send a test message',
    tags,
    schema: { params: IdParams, response: { 202: Type.Object({ message: Type.String() }) } },
    async handler({ caller, params }, reply) {
      const message = await storage.write((tx) => testEndpoint(tx, context, caller, params.id))
      return reply.status(202).send({ message })
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/webhooks/:id/deliveries',
    access: read,
    summary: 'List what was sent, and what waits',
    description: 'Newest first. Two weeks are kept, and of what is finished at most 10,000.',
    tags,
    schema: {
      params: IdParams,
      querystring: Type.Object({
        ...PageQuery,
        state: Type.Optional(Type.Enum([...DELIVERY_STATES])),
        type: Type.Optional(Type.Enum(Object.keys(EVENT_TYPES))),
      }),
      response: { 200: PageOf(DeliveryBody) },
    },
    async handler({ caller, params, query }) {
      const filter = { endpointId: params.id, state: query.state, type: query.type }
      const page = await listDeliveries(storage, caller, filter, query)
      return { data: page.data.map(presentDelivery), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/webhooks/:id/replay',
    access: write,
    summary: 'Send messages again',
    description: `Those that were given up, or with \`delivered\` the others too, with the ids that they had; at most ${MOST_REPLAYED} at once.`,
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({
        delivery: Type.Optional(Type.String({ maxLength: 40, description: 'This one alone.' })),
        delivered: Type.Optional(Type.Boolean()),
        since: Type.Optional(Rfc3339),
        until: Type.Optional(Rfc3339),
      }),
      response: { 200: Type.Object({ replayed: Type.Integer() }) },
    },
    async handler({ caller, params, body }) {
      const filter = {
        deliveryId: body.delivery,
        states:
          body.delivered === true || body.delivery !== undefined
            ? (['failed', 'delivered'] as const)
            : (['failed'] as const),
        sinceMs: parseTime('/since', body.since),
        untilMs: parseTime('/until', body.until),
      }
      return {
        replayed: await storage.write((tx) => replayDeliveries(tx, context, caller, params.id, filter)),
      }
    },
  })
}

function presentEndpoint(endpoint: Endpoint): Static<typeof EndpointBody> {
  return {
    id: endpoint.id,
    tenant: endpoint.tenantId,
    name: endpoint.name,
    url: endpoint.url,
    events: endpoint.events && [...endpoint.events],
    secrets: endpoint.secrets.map(({ id, createdAtMs, expiresAtMs }) => ({
      id,
      created_at: rfc3339(createdAtMs),
      expires_at: rfc3339(expiresAtMs),
    })),
    disabled: endpoint.disabledAtMs !== null,
    disabled_reason: endpoint.disabledReason,
    failing_since: rfc3339(endpoint.failingSinceMs),
    dropped: endpoint.dropped,
    created_at: rfc3339(endpoint.createdAtMs),
    created_by: endpoint.createdBy,
    updated_at: rfc3339(endpoint.updatedAtMs),
  }
}

function presentDelivery(delivery: Delivery): Static<typeof DeliveryBody> {
  return {
    id: delivery.id,
    message: delivery.eventId,
    type: delivery.type,
    state: delivery.state,
    attempts: delivery.attempts,
    created_at: rfc3339(delivery.createdAtMs),
    next_at: delivery.state === 'pending' ? rfc3339(delivery.nextAtMs) : null,
    last_at: rfc3339(delivery.lastAtMs),
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
    payload: JSON.parse(delivery.payload) as unknown,
  }
}
