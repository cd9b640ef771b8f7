/**
 * The only way to add a route. A route says who may call it (`access`) beside what it takes and answers; from that come
 * the check of the credential, the limits, the validation and the documentation. A route without an access does not
 * start (see `server.ts`).
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type { Access, Caller } from '../kernel/index.ts'
import { guardRoute } from './guard.ts'

/** A body or answer of several media types, or of one that is not JSON. */
export interface ContentSchema {
  readonly description?: string
  readonly content: Readonly<Record<string, { readonly schema: TSchema }>>
}

export interface RouteSchema {
  readonly body?: TSchema | ContentSchema
  readonly querystring?: TSchema
  readonly params?: TSchema
  /** By status. Problems need not be named: every route has them. */
  readonly response: Readonly<Record<number, TSchema | ContentSchema>>
}

type StaticOf<S> = S extends { readonly content: infer C }
  ? C[keyof C] extends { readonly schema: infer T extends TSchema }
    ? Static<T>
    : unknown
  : S extends TSchema
    ? Static<S>
    : unknown

type PartOf<S, Part extends string> = S extends { readonly [P in Part]: infer T } ? StaticOf<T> : unknown

/** What a handler gets: its parts typed by the schema, and the caller unless the route is public. */
export type RouteRequest<S, A extends Access> = FastifyRequest<{
  Body: PartOf<S, 'body'>
  Querystring: PartOf<S, 'querystring'>
  Params: PartOf<S, 'params'>
}> &
  (A extends { readonly kind: 'public' } ? unknown : { readonly caller: Caller })

export interface Route<S extends RouteSchema, A extends Access> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  /** Fastify's pattern: `/v1/keys/:id`. */
  readonly url: string
  readonly access: A
  /** A few words: the heading in the documentation. */
  readonly summary: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly schema: S
  /** Bytes; 256 kB unless told. */
  readonly bodyLimit?: number
  /** The route takes an Idempotency-Key; `idempotencyOf(request)` reads it. */
  readonly idempotent?: boolean
  /** The route takes `application/x-ndjson` too; the body is then an array of its lines. */
  readonly ndjson?: boolean
  /** A page's form posts here: the body is `application/x-www-form-urlencoded` and nothing else. */
  readonly form?: boolean
  /** The handler gets the JSON body's bytes as they came, unread: its sender signed them. */
  readonly signed?: boolean
  /** The credential comes in `Authorization: Bearer` and nowhere else. */
  readonly bearerOnly?: boolean
  /** The route is visited by people: its refusals are shown as a page. */
  readonly page?: boolean
  /** Requests that need no credential after all; their `caller` is undefined. */
  readonly openTo?: (request: FastifyRequest) => boolean
  /** False for pages and other answers that are not part of the API. */
  readonly documented?: boolean
  /** Answers a value for the serializer, a string that is JSON already (see `sendJson`), a stream, or a promise. */
  readonly handler: (request: RouteRequest<S, A>, reply: FastifyReply) => unknown
}

/** What the documentation is made of. */
export type DeclaredRoute = Omit<Route<RouteSchema, Access>, 'handler'>

export function declareRoute<const S extends RouteSchema, const A extends Access>(
  server: FastifyInstance,
  route: Route<S, A>,
): void {
  const { handler, ...declared } = route
  if (declared.documented !== false) server.posternHttp.routes.push(declared)
  server.route({
    method: route.method,
    url: route.url,
    // Widened: Fastify would type the answer by it, and handlers are typed by Route already.
    schema: route.schema as object,
    config: {
      access: route.access,
      idempotent: route.idempotent === true,
      ndjson: route.ndjson === true,
      form: route.form === true,
      signed: route.signed === true,
      page: route.page === true,
    },
    ...(route.bodyLimit !== undefined && { bodyLimit: route.bodyLimit }),
    onRequest: guardRoute(server.posternHttp, declared),
    handler: (request, reply) => handler(request as unknown as RouteRequest<S, A>, reply),
  })
}

/**
 * The same for the hottest route, straight to the socket in one write: Fastify's way of sending costs a tenth of a
 * verify. Only for answers of 200, whose headers are all here; refusals go the usual way.
 */
export function sendJsonAtOnce(reply: FastifyReply, text: string): FastifyReply {
  reply.hijack()
  reply.raw.writeHead(200, [
    'content-type',
    'application/json; charset=utf-8',
    'content-length',
    String(Buffer.byteLength(text)),
    'cache-control',
    'no-store',
    'x-content-type-options',
    'nosniff',
    'x-request-id',
    reply.request.id,
  ])
  reply.raw.end(text)
  return reply
}

/** Sends text that is JSON already, past the serializer: for the hot path. */
export function sendJson(reply: FastifyReply, text: string): FastifyReply {
  return reply.header('content-type', 'application/json; charset=utf-8').send(text)
}
