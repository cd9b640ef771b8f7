/**
 * `@postern/sdk/fastify`: a plugin for Fastify 5.
 *
 *     await app.register(postern, { verifier: createVerifier({ … }) })
 *     app.get('/orders', { onRequest: app.requireScopes('orders:read') }, handler)
 *
 * With the option `protectedResource` it serves the metadata for OAuth clients, too.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { verifyWithSession } from '../browser-session.ts'
import type { Principal, Result } from '../principal.ts'
import { metadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Verifier } from '../verifier.ts'
import {
  admission,
  checkProtectedResource,
  demandsOf,
  noPrincipal,
  parseScopes,
  routeOf,
  type GuardOptions,
  type RouteOptions,
  type Scopes,
} from './guard-options.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by `requireScopes`; null before it, and where it let an anonymous caller pass. */
    principal: Principal | null
  }
  interface FastifyInstance {
    /** A hook that sets `request.principal`, or answers 401, 403, 429 or 503 itself. */
    requireScopes: RequireScopes
  }
}

/** Best as `onRequest`, which runs before the body is read and parsed; it works as `preHandler`, too. */
export type RequireScopes = (
  scopes?: Scopes,
  route?: RouteOptions,
) => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void

export interface PosternPluginOptions extends GuardOptions<FastifyRequest> {
  readonly verifier: Verifier
}

/**
 * The plugin. Its decorations reach the whole application, not the plugin's own scope alone. With `protectedResource`,
 * register it without a prefix: the metadata's path is fixed by RFC 9728.
 *
 * The caller's address is `request.ip`, which follows Fastify's option `trustProxy`.
 */
export function postern(app: FastifyInstance, options: PosternPluginOptions, done: () => void): void {
  checkProtectedResource(options.verifier, options)
  app.decorateRequest('principal', null)
  app.decorate('requireScopes', requireScopes(options.verifier, options))
  if (options.protectedResource) serveMetadata(app, options.protectedResource)
  done()
}

// What the package fastify-plugin sets.
Object.assign(postern, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: '@postern/sdk',
  [Symbol.for('plugin-meta')]: { name: '@postern/sdk', fastify: '5.x' },
})

/** GET brings HEAD along, which is Fastify's default. */
function serveMetadata(app: FastifyInstance, resource: ProtectedResource): void {
  app.route({
    method: ['GET', 'OPTIONS'],
    url: resource.metadataPath,
    handler: (request, reply) => {
      const answer = metadataAnswer(resource, request.method, resource.metadataPath)
      return reply
        .code(answer?.status ?? 404)
        .headers(answer?.headers ?? {})
        .send(answer?.body)
    },
  })
}

function requireScopes(verifier: Verifier, options: PosternPluginOptions): RequireScopes {
  return (routeScopes, route = {}) => {
    const demands = demandsOf(parseScopes(routeScopes), route)
    return (request, reply, done) => {
      const settle = (result: Result) => {
        const outcome = admission(verifier, result, options, demands.scopes, route.optional)
        if (outcome.admitted) {
          request.principal = outcome.principal ?? null
          reply.headers(outcome.headers)
          done()
        } else {
          const { status, headers, body } = outcome.refusal
          void reply.code(status).headers(headers).send(JSON.stringify(body))
        }
      }
      const { method, headers, rawHeaders } = request.raw
      const ip = options.clientIp ? options.clientIp(request) : request.ip
      const presented = { method, headers, rawHeaders, url: request.originalUrl }
      const result = verifyWithSession(
        verifier,
        presented,
        options.session,
        { ...demands, ip, route: demands.route ?? routeOf(method, request.routeOptions.url) },
        (cookies) => {
          // Fastify joins several of this name by itself.
          void reply.header('cache-control', 'no-store').header('set-cookie', cookies)
        },
      )
      if (result instanceof Promise) void result.then(settle)
      else settle(result)
    }
  }
}

/** The principal of a guarded request. Throws where there is none. */
export function principalOf(request: FastifyRequest): Principal {
  if (!request.principal) throw noPrincipal()
  return request.principal
}
