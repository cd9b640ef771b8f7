/** /v1/gateway: the routes, and which of them would answer. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { create, declareRoute, IdParams, Nullable, PageOf, PageQuery } from '../http/index.ts'
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  invalid,
  notFound,
  PosternError,
  requireDeployment,
  toPage,
} from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Idempotency, Storage } from '../storage/index.ts'
import { createRoute, deleteRoute, updateRoute } from './change-routes.ts'
import type { LiveRoutes } from './live-routes.ts'
import { readHost, readPath } from './original-request.ts'
import { presentRoute, RouteBody, RouteInputSchema, RoutePatchSchema, rulesOf } from './route-schema.ts'
import { selectRoutes } from './route-store.ts'

export interface GatewayRoutes {
  readonly storage: Storage
  readonly changes: Changes
  readonly idempotency: Idempotency
  readonly routes: LiveRoutes
}

const tags = ['Gateway']
const read = { kind: 'management', scope: 'resources:read' } as const
const write = { kind: 'management', scope: 'resources:write' } as const

const Question = Type.Object({
  method: Type.String({ minLength: 1, maxLength: 20 }),
  url: Type.String({ minLength: 1, maxLength: 8_192, examples: ['https://app.example.com/orders/42'] }),
})
const Explanation = Type.Object({
  route: Nullable(RouteBody),
  why: Type.String(),
  tried: Type.Array(
    Type.Object({ id: Type.String(), misfit: Nullable(Type.Enum(['host', 'path', 'method'])) }),
  ),
})

export function gatewayRoutes(server: FastifyInstance, ports: GatewayRoutes): void {
  const { storage, changes, idempotency, routes } = ports

  /** What was written is what this process answers by from here on. */
  async function done<T>(result: T): Promise<T> {
    await routes.load()
    return result
  }

  /** The same for a creation, before it is answered. */
  const knownHere: Pick<Idempotency, 'once'> = {
    async once(asked, work) {
      return done(await idempotency.once(asked, work))
    },
  }

  async function checkResource(caller: Caller, uri: string | null | undefined): Promise<void> {
    if (uri === null || uri === undefined) return
    try {
      await getResource(storage, caller, uri)
    } catch (error) {
      if (error instanceof PosternError && error.code === 'not_found')
        throw invalid('/resource', 'There is no resource with this URI.')
      throw error
    }
  }

  declareRoute(server, {
    method: 'GET',
    url: '/v1/gateway/routes',
    access: read,
    summary: 'List gateway routes',
    description: 'In the order in which they are tried: those of the file, then these.',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(RouteBody) } },
    async handler({ caller, query }) {
      requireDeployment(caller, 'Reading gateway routes')
      const all = [...routes.fromFile, ...(await selectRoutes(storage.read()))]
      const limit = query.limit ?? DEFAULT_LIMIT
      const after = decodeCursor('gateway routes', 'string', query.cursor)
      const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1
      const page = toPage('gateway routes', all.slice(from, from + limit + 1), limit, (route) => route.id)
      return { data: page.data.map(presentRoute), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/gateway/routes',
    access: write,
    summary: 'Create a gateway route',
    description: 'The first route whose host, path and method fit answers; what no route fits is refused.',
    tags,
    idempotent: true,
    schema: { body: RouteInputSchema, response: { 201: RouteBody } },
    async handler(request, reply) {
      const { body, caller } = request
      await checkResource(caller, body.resource)
      return create(knownHere, request, reply, 201, async (tx) =>
        presentRoute(await createRoute(tx, changes, caller, { ...rulesOf(body), host: body.host })),
      )
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/gateway/routes/:id',
    access: read,
    summary: 'Read a gateway route',
    tags,
    schema: { params: IdParams, response: { 200: RouteBody } },
    async handler({ caller, params }) {
      requireDeployment(caller, 'Reading gateway routes')
      const all = [...routes.fromFile, ...(await selectRoutes(storage.read()))]
      const route = all.find(({ id }) => id === params.id)
      if (!route) throw notFound('gateway route')
      return presentRoute(route)
    },
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/gateway/routes/:id',
    access: write,
    summary: 'Change a gateway route',
    tags,
    schema: { params: IdParams, body: RoutePatchSchema, response: { 200: RouteBody } },
    async handler({ caller, params, body }) {
      await checkResource(caller, body.resource)
      return done(
        presentRoute(await storage.write((tx) => updateRoute(tx, changes, caller, params.id, rulesOf(body)))),
      )
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/gateway/routes/:id',
    access: write,
    summary: 'Delete a gateway route',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteRoute(tx, changes, caller, params.id))
      await routes.load()
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/gateway/explain',
    access: read,
    summary: 'Which route answers',
    description: 'A dry run: nothing is asked of the upstream, and no credential is looked at.',
    tags,
    schema: { body: Question, response: { 200: Explanation } },
    async handler({ caller, body }) {
      requireDeployment(caller, 'Reading gateway routes')
      await routes.load()
      const url = /^https?:\/\/([^/?#]+)([^#]*)$/.exec(body.url)
      const host = url ? readHost(url[1] as string) : undefined
      if (!url || host === undefined)
        throw invalid('/url', 'Give the whole URL, such as https://app.example.com/orders.')
      const target = url[2] as string
      const path = readPath(target.startsWith('/') ? target : `/${target}`)
      if (path === undefined)
        return {
          route: null,
          why: 'The path is malformed, or can be read as more than one path: refused.',
          tried: [],
        }
      const method = body.method.toUpperCase()
      const tried = routes.table.explain({ method, host, path })
      const last = tried.at(-1)
      const route = last && last.misfit === null ? last.route : undefined
      return {
        route: route ? presentRoute(route) : null,
        why: route
          ? `${route.id} is the first whose host, path and method fit.`
          : `No route fits ${method} ${path} on ${host}: refused.`,
        tried: tried.map(({ route: { id }, misfit }) => ({ id, misfit })),
      }
    },
  })
}
