/**
 * `@postern/sdk/next`: for Next.js: route handlers of the App Router, and the proxy (`middleware` before Next 16), on
 * Node and on the edge.
 *
 *     const postern = createGuard(createVerifier({ … }))
 *     export const GET = postern('orders:read', (request, context, principal) => Response.json(ordersOf(principal.tenant)))
 *
 * It needs nothing of Next but the web's own `Request` and `Response`.
 */
import { verifyWithSession } from '../browser-session.ts'
import type { Principal, Result } from '../principal.ts'
import { metadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Verifier } from '../verifier.ts'
import {
  checkProtectedResource,
  demandsOf,
  parseScopes,
  type GuardOptions,
  type RouteOptions,
  type Scopes,
} from './guard-options.ts'
import { webAdmission, withCookies, withHeaders } from './web-response.ts'

type Answer = Response | Promise<Response>

/** A route handler, with the caller as a third argument. `context` has the parameters of a dynamic route. */
export type GuardedHandler<Incoming extends Request, Context, Caller> = (
  request: Incoming,
  context: Context,
  principal: Caller,
) => Answer

export interface NextGuard {
  <Incoming extends Request, Context>(
    scopes: Scopes | undefined,
    handler: GuardedHandler<Incoming, Context, Principal>,
    route?: RouteOptions & { readonly optional?: false },
  ): (request: Incoming, context: Context) => Promise<Response>
  <Incoming extends Request, Context>(
    scopes: Scopes | undefined,
    handler: GuardedHandler<Incoming, Context, Principal | undefined>,
    route: RouteOptions,
  ): (request: Incoming, context: Context) => Promise<Response>
}

/**
 * Makes guards for route handlers. The handler is called with the Principal, or not at all: then 401, 403, 429 or 503 has
 * been answered.
 *
 * A request of Next does not say where it came from: without `clientIp`, a key that is bound to networks is refused.
 */
export function createGuard(verifier: Verifier, options: GuardOptions<Request> = {}): NextGuard {
  checkProtectedResource(verifier, options)
  return <Incoming extends Request, Context>(
    routeScopes: Scopes | undefined,
    // The overloads promise a Principal wherever `optional` is not set.
    handler: GuardedHandler<Incoming, Context, never>,
    route: RouteOptions = {},
  ) => {
    const demands = demandsOf(parseScopes(routeScopes), route)
    return async (request: Incoming, context: Context): Promise<Response> => {
      const asked = { ...demands, ip: options.clientIp?.(request) }
      let set: readonly string[] = []
      const result = await verifyWithSession(verifier, request, options.session, asked, (cookies) => {
        set = cookies
      })
      const outcome = webAdmission(verifier, result, options, demands.scopes, route.optional)
      const answer =
        outcome instanceof Response
          ? outcome
          : withHeaders(await handler(request, context, outcome.principal as never), outcome.headers)
      return set.length > 0 ? withCookies(answer, set) : answer
    }
  }
}

/**
 * Makes a function for `proxy.ts` (`middleware.ts` before Next 16): it answers a refusal, or undefined for a request that
 * may go on. It is a fence in front, not the check itself: what reads a tenant's data is guarded where it is, since the
 * proxy does not hand the Principal on and routes change more often than its `matcher`. It costs the caller's limits nothing
 * unless `cost` is set.
 *
 * It sets no cookies. A session whose access token has to be refreshed goes on to the guard behind, which does that.
 */
export function createProxyGuard(
  verifier: Verifier,
  options: GuardOptions<Request> = {},
): (request: Request, scopes?: Scopes, route?: RouteOptions) => Promise<Response | undefined> {
  checkProtectedResource(verifier, options)
  return async (request, routeScopes, route = {}) => {
    const demands = demandsOf(parseScopes(routeScopes), route)
    // The guard of the route charges the request; twice would be once too often.
    const asked = { ...demands, ip: options.clientIp?.(request), cost: route.cost ?? 0 }
    const presented = await options.session?.presentAsItIs(request)
    const sessionToken = presented && 'accessToken' in presented ? presented.accessToken : undefined
    const result: Result =
      presented && 'denial' in presented
        ? presented.denial
        : await verifier.verify(request, { ...asked, sessionToken })
    if (sessionToken !== undefined && !result.valid && result.code === 'expired') return undefined
    const outcome = webAdmission(verifier, result, options, demands.scopes, route.optional)
    return outcome instanceof Response ? outcome : undefined
  }
}

/**
 * The route that serves the metadata (RFC 9728). In `app/.well-known/oauth-protected-resource/[[...path]]/route.ts`:
 *
 *     export const { GET, OPTIONS } = metadataRoute(protectedResource)
 */
export function metadataRoute(resource: ProtectedResource): {
  readonly GET: (request: Request) => Response
  readonly OPTIONS: (request: Request) => Response
} {
  const answer = ({ method, url }: Request): Response => {
    const { status, headers, body } = metadataAnswer(resource, method, url) ?? NOT_FOUND
    return new Response(body === '' ? null : body, { status, headers })
  }
  return { GET: answer, OPTIONS: answer }
}

const NOT_FOUND = { status: 404, headers: {}, body: '' }
