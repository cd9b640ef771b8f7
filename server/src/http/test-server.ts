/** A server for the tests of this folder: one operator key, one route of each access, the log kept in memory. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { denial } from '../kernel/index.ts'
import type { Authenticate, Caller } from '../kernel/index.ts'
import { createLogger, createServer, declareRoute } from './index.ts'
import type { ServerOptions } from './index.ts'

export const KEY = 'postern_live_0123456789ab0123456789abcdefghijklmnopqrstuvwx'
export const AUTHORIZED = { authorization: `Bearer ${KEY}` }

export const OPERATOR: Caller = {
  type: 'operator',
  id: 'key_1',
  tenant: null,
  scopes: ['verify', 'keys:read', 'keys:write'],
  resources: null,
}

export const authenticate: Authenticate = ({ headers }) =>
  headers.authorization === undefined
    ? denial('missing')
    : headers.authorization === AUTHORIZED.authorization
      ? OPERATOR
      : denial('unknown')

export interface TestServer {
  readonly server: FastifyInstance
  /** The log's lines so far. */
  readonly lines: string[]
}

export function testServer(options: Partial<ServerOptions> & { logLevel?: string } = {}): TestServer {
  const lines: string[] = []
  const { logLevel = 'info', ...rest } = options
  const logger = createLogger({ logLevel, logFormat: 'json' }, { write: (line) => void lines.push(line) })
  return { server: createServer({ logger, authenticate, ...rest }), lines }
}

export const KeyBody = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 100 }),
  scopes: Type.Optional(Type.Array(Type.String(), { maxItems: 10 })),
  expires_at: Type.Optional(Type.Union([Type.String({ format: 'date-time' }), Type.Null()])),
  environment: Type.Optional(Type.Union([Type.Literal('live'), Type.Literal('test')])),
  overlap_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: 86_400 })),
  metadata: Type.Optional(Type.Record(Type.String(), Type.String())),
})

/** `POST /v1/keys` echoes its body; `GET /v1/keys` its query; `POST /v1/verify` is the verifier's. */
export function declareTestRoutes(server: FastifyInstance): void {
  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys',
    access: { kind: 'management', scope: 'keys:write' },
    summary: 'Issue a key',
    tags: ['keys'],
    idempotent: true,
    schema: { body: KeyBody, response: { 201: Type.Unknown() } },
    handler: ({ body, caller }, reply) => {
      reply.code(201)
      return { body, caller: caller.id }
    },
  })
  declareRoute(server, {
    method: 'GET',
    url: '/v1/keys',
    access: { kind: 'management', scope: 'keys:read' },
    summary: 'List keys',
    tags: ['keys'],
    schema: {
      querystring: Type.Object({
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 })),
        scope: Type.Optional(Type.Array(Type.String())),
      }),
      response: { 200: Type.Unknown() },
    },
    handler: ({ query }) => query,
  })
  declareRoute(server, {
    method: 'POST',
    url: '/v1/keys/:id/revoke',
    access: { kind: 'management', scope: 'keys:write' },
    summary: 'Revoke a key',
    tags: ['keys'],
    schema: {
      params: Type.Object({ id: Type.String({ maxLength: 40 }) }),
      body: Type.Object({ reason: Type.Optional(Type.String()) }),
      response: { 200: Type.Unknown() },
    },
    handler: ({ body, params }) => ({ id: params.id, reason: body.reason ?? null }),
  })
  declareRoute(server, {
    method: 'POST',
    url: '/v1/verify',
    access: { kind: 'verifier' },
    summary: 'Is this credential valid?',
    tags: ['verify'],
    schema: { body: Type.Object({ credential: Type.String() }), response: { 200: Type.Unknown() } },
    handler: ({ body }) => ({ length: body.credential.length }),
  })
}
