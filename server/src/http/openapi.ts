/**
 * The OpenAPI 3.1 document, from the declared routes by @fastify/swagger. It is built when somebody first asks, on a
 * throwaway Fastify, so that starting and serving pay nothing for it.
 */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { closeSchema } from './close-schema.ts'
import { declareRoute, sendJson } from './declare-route.ts'
import type { DeclaredRoute, RouteSchema } from './declare-route.ts'
import { isOptionalObject } from './validate.ts'

export interface OpenApiInfo {
  readonly issuer: string
  readonly version: string
}

export type OpenApiDocument = Readonly<Record<string, unknown>>

/** Answers the same document every time; all routes must be declared before the first call. */
export function openApiOf(server: FastifyInstance, info: OpenApiInfo): () => Promise<OpenApiDocument> {
  let document: Promise<OpenApiDocument> | undefined
  return () => (document ??= buildDocument(server.posternHttp.routes, info))
}

export function mountOpenApi(server: FastifyInstance, document: () => Promise<OpenApiDocument>): void {
  let text: string | undefined
  declareRoute(server, {
    method: 'GET',
    url: '/openapi.json',
    access: { kind: 'public', why: 'the same in every deployment' },
    summary: 'This API as OpenAPI 3.1',
    tags: ['health'],
    schema: { response: { 200: Type.Object({}, { additionalProperties: true }) } },
    handler: async (_request, reply) => sendJson(reply, (text ??= JSON.stringify(await document()))),
  })
}

async function buildDocument(routes: readonly DeclaredRoute[], info: OpenApiInfo): Promise<OpenApiDocument> {
  const [{ fastify }, { default: swagger }] = await Promise.all([
    import('fastify'),
    import('@fastify/swagger'),
  ])
  const draft = fastify({ exposeHeadRoutes: false })
  draft.setValidatorCompiler(() => () => true)
  draft.setSerializerCompiler(() => () => '')
  await draft.register(swagger, {
    convertConstToEnum: false,
    refResolver: { buildLocalReference: (json) => String(json['$id']) },
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Postern',
        version: info.version,
        description: 'Who is calling your API: keys, their whole life, and one verify.',
      },
      servers: [{ url: info.issuer }],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An operator key or a verifier’s key' },
          apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The same key' },
        },
      },
    },
  })
  draft.addSchema(PROBLEM)
  for (const route of routes)
    draft.route({ method: route.method, url: route.url, schema: documented(route), handler: () => '' })
  await draft.ready()
  const document = draft.swagger() as unknown as OpenApiDocument
  await draft.close()
  markOptionalBodies(document)
  return document
}

const PROBLEM = {
  $id: 'Problem',
  type: 'object',
  description: 'RFC 9457. `code` is stable; /docs/errors explains each.',
  required: ['type', 'title', 'status', 'code', 'detail'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['pointer', 'detail'],
        properties: { pointer: { type: 'string' }, detail: { type: 'string' } },
      },
    },
  },
} as const

/** A body of optional members may be left out; the generator says that every body is required. */
function markOptionalBodies(document: OpenApiDocument): void {
  const paths = document['paths'] as Record<string, Record<string, { requestBody?: RequestBody }>>
  for (const operation of Object.values(paths).flatMap((path) => Object.values(path))) {
    const schema = operation.requestBody?.content['application/json']?.schema
    if (operation.requestBody && schema && isOptionalObject(schema)) operation.requestBody.required = false
  }
}

interface RequestBody {
  required?: boolean
  readonly content: Readonly<Record<string, { readonly schema: object } | undefined>>
}

function documented(route: DeclaredRoute): object {
  const { access, schema } = route
  const secured = access.kind !== 'public'
  return {
    summary: route.summary,
    ...(route.description && { description: route.description }),
    tags: route.tags,
    operationId: operationIdOf(route),
    security: secured ? [{ bearer: [] }, ...(route.bearerOnly ? [] : [{ apiKey: [] }])] : [],
    ...(access.kind === 'management' && {
      'x-postern-scope': [access.scope, ...(access.orScopes ?? [])].join(' or '),
    }),
    ...(access.kind === 'verifier' && { 'x-postern-scope': 'verify' }),
    ...(schema.body && { body: closed(schema.body) }),
    ...(schema.querystring && { querystring: closed(schema.querystring) }),
    ...(schema.params && { params: schema.params }),
    ...(route.idempotent && { headers: IDEMPOTENCY_HEADER }),
    response: { ...answersOf(schema), ...problemsOf(route) },
  }
}

function closed(part: NonNullable<RouteSchema['body']>): object {
  if (!('content' in part)) return closeSchema(part)
  const content = Object.entries(part.content).map(([type, { schema }]) => [
    type,
    { schema: closeSchema(schema) },
  ])
  return { ...part, content: Object.fromEntries(content) }
}

const IDEMPOTENCY_HEADER = {
  type: 'object',
  properties: {
    'Idempotency-Key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      description:
        'The same request with the same key, sent again within 24 hours, has the same answer and no effect.',
    },
  },
}

const MEANINGS: Readonly<Record<number, string>> = {
  200: 'Done',
  201: 'Created',
  202: 'Accepted',
  204: 'Done, nothing to say',
  400: 'The request is not valid',
  401: 'No valid credential',
  403: 'The credential does not allow this',
  404: 'There is nothing by that name',
  409: 'It collides with what exists',
  413: 'The body is too large',
  415: 'The body has an unsupported type',
  422: 'The Idempotency-Key was used with another body',
  429: 'Too many requests',
  503: 'Cannot be answered right now',
}

function answersOf(schema: RouteSchema): Record<string, object> {
  return Object.fromEntries(
    Object.entries(schema.response).map(([status, answer]) => [
      status,
      { description: MEANINGS[Number(status)] ?? 'Answer', ...answer },
    ]),
  )
}

function problemsOf({ access, schema, url, idempotent }: DeclaredRoute): Record<string, object> {
  const statuses = [429, 503]
  if (schema.body || schema.querystring || schema.params) statuses.push(400)
  if (access.kind !== 'public') statuses.push(401, 403)
  if (url.includes(':')) statuses.push(404)
  if (schema.body) statuses.push(413, 415)
  if (idempotent) statuses.push(409, 422)
  const free = statuses.filter((status) => !(status in schema.response))
  const content = { 'application/problem+json': { schema: { $ref: 'Problem#' } } }
  return Object.fromEntries(free.map((status) => [status, { description: MEANINGS[status], content }]))
}

/** `POST /v1/keys/:id/revoke` is `postKeysByIdRevoke`: a name for generated clients. */
function operationIdOf({ method, url }: DeclaredRoute): string {
  const words = url
    .replace(/^\/v1\//, '/')
    .replaceAll(':', 'by-')
    .split(/[^a-zA-Z0-9]+/)
    .filter((word) => word !== '')
  return method.toLowerCase() + words.map((word) => word[0]?.toUpperCase() + word.slice(1)).join('')
}
