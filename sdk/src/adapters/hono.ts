/**
 * `@postern/sdk/hono`: middleware for Hono 4, on any runtime.
 *
 *     const postern = createGuard(createVerifier({ … }), { clientIp: (c) => getConnInfo(c).remote.address })
 *     app.get('/orders', postern('orders:read'), (c) => c.json(ordersOf(c.get('principal').tenant)))
 *
 * For OAuth clients, the option `protectedResource` and `app.use(serveMetadata(protectedResource))`.
 */
import type { Context, MiddlewareHandler } from 'hono'
import { verifyWithSession } from '../browser-session.ts'
import type { Principal } from '../principal.ts'
import { metadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Verifier } from '../verifier.ts'
import {
  admission,
  checkProtectedResource,
  demandsOf,
  parseScopes,
  routeOf,
  type GuardOptions,
  type RouteOptions,
  type Scopes,
} from './guard-options.ts'

/** What `c.get('principal')` has behind a guard, and behind an optional one. */
type Guarded = { Variables: { principal: Principal } }
type MaybeGuarded = { Variables: { principal: Principal | undefined } }

export interface HonoGuard {
  (scopes?: Scopes, route?: RouteOptions & { readonly optional?: false }): MiddlewareHandler<Guarded>
  (scopes: Scopes | undefined, route: RouteOptions): MiddlewareHandler<MaybeGuarded>
}

/**
 * Makes guards for routes. A guard sets the variable `principal`, or answers 401, 403, 429 or 503 itself.
 *
 * Hono has no notion of the caller's address: without `clientIp`, a key that is bound to networks is refused.
 */
export function createGuard(verifier: Verifier, options: GuardOptions<Context> = {}): HonoGuard {
  checkProtectedResource(verifier, options)
  return (routeScopes?: Scopes, route: RouteOptions = {}): MiddlewareHandler => {
    const demands = demandsOf(parseScopes(routeScopes), route)
    return async (c, next) => {
      const asked = {
        ...demands,
        ip: options.clientIp?.(c),
        // The guard's own pattern: of `app.get('/orders/:id', guard, …)` that is the route's.
        route: demands.route ?? routeOf(c.req.method, c.req.routePath),
      }
      const result = await verifyWithSession(verifier, c.req.raw, options.session, asked, (cookies) => {
        c.header('cache-control', 'no-store')
        for (const cookie of cookies) c.header('set-cookie', cookie, { append: true })
      })
      const outcome = admission(verifier, result, options, demands.scopes, route.optional)
      if (!outcome.admitted) {
        const { status, headers, body } = outcome.refusal
        return c.body(JSON.stringify(body), status as 401, headers)
      }
      c.set('principal', outcome.principal)
      await next()
      for (const [name, value] of Object.entries(outcome.headers)) c.header(name, value)
      return undefined
    }
  }
}

/** Answers requests for the metadata (RFC 9728); all others go on. */
export function serveMetadata(resource: ProtectedResource): MiddlewareHandler {
  return async (c, next) => {
    const answer = metadataAnswer(resource, c.req.method, c.req.url)
    if (!answer) return next()
    return new Response(answer.body === '' ? null : answer.body, answer)
  }
}
