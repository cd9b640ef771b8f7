/**
 * `@postern/sdk/express`: middleware for Express 4 and 5.
 *
 *     const postern = createGuard(createVerifier({ … }))
 *     app.get('/orders', postern('orders:read'), handler)
 *
 * For OAuth clients, `createGuard(verifier, { protectedResource })` and `app.use(serveMetadata(protectedResource))`.
 */
import { verifyWithSession } from '../browser-session.ts'
import type { NodeRequest } from '../presented.ts'
import type { Principal, Result } from '../principal.ts'
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
import { sendRefusal, setCookies, setHeaders, type NodeResponse } from './node-response.ts'

export { serveMetadata } from './node-response.ts'

declare global {
  namespace Express {
    interface Request {
      /** Set by a Postern guard; absent where an optional guard let an anonymous caller pass. */
      principal?: Principal
    }
  }
}

/** What is used of Express's request. */
export interface ExpressRequest extends NodeRequest {
  readonly originalUrl: string
  readonly ip?: string | undefined
  readonly baseUrl?: string
  readonly route?: { readonly path?: unknown } | undefined
  principal?: Principal
}

export type ExpressGuard = (
  scopes?: Scopes,
  route?: RouteOptions,
) => (request: ExpressRequest, response: NodeResponse, next: (error?: unknown) => void) => void

/**
 * Makes guards for routes. A guard sets `req.principal`, or answers 401, 403, 429 or 503 itself.
 *
 * The caller's address is `req.ip`, which follows Express's setting `trust proxy`.
 */
export function createGuard(verifier: Verifier, options: GuardOptions<ExpressRequest> = {}): ExpressGuard {
  checkProtectedResource(verifier, options)
  return (routeScopes, route = {}) => {
    const demands = demandsOf(parseScopes(routeScopes), route)
    return (request, response, next) => {
      const settle = (result: Result) => {
        const outcome = admission(verifier, result, options, demands.scopes, route.optional)
        if (!outcome.admitted) return sendRefusal(response, outcome.refusal)
        setHeaders(response, outcome.headers)
        if (outcome.principal) request.principal = outcome.principal
        next()
      }
      const { method, headers, rawHeaders, originalUrl: url } = request
      const ip = options.clientIp ? options.clientIp(request) : request.ip
      const presented = { method, headers, rawHeaders, url }
      const asked = { ...demands, ip, route: demands.route ?? nameOf(request) }
      const result = verifyWithSession(verifier, presented, options.session, asked, (cookies) =>
        setCookies(response, cookies),
      )
      if (result instanceof Promise) void result.then(settle)
      else settle(result)
    }
  }
}

/** In `app.use` there is no route yet. A pattern may be a RegExp or a list: these name nothing. */
function nameOf({ method, baseUrl = '', route }: ExpressRequest): string | undefined {
  return typeof route?.path === 'string' ? routeOf(method, `${baseUrl}${route.path}`) : undefined
}

/** The principal of a guarded request. Throws where there is none. */
export function principalOf(request: { readonly principal?: Principal }): Principal {
  if (!request.principal) throw noPrincipal()
  return request.principal
}
