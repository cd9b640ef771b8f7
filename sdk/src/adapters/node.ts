/**
 * `@postern/sdk/node`: for `node:http` without a framework.
 *
 *     const listOrders = protect(verifier, (req, res, principal) => { … }, { scopes: 'orders:read' })
 *
 * For OAuth clients, the option `protectedResource`, and `if (serveMetadata(protectedResource, req, res)) return`.
 */
import { verifyWithSession } from '../browser-session.ts'
import type { NodeRequest } from '../presented.ts'
import type { Principal, Result } from '../principal.ts'
import { metadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Verifier } from '../verifier.ts'
import {
  admission,
  checkProtectedResource,
  demandsOf,
  parseScopes,
  type GuardOptions,
  type RouteOptions,
  type Scopes,
} from './guard-options.ts'
import { sendMetadata, sendRefusal, setCookies, setHeaders, type NodeResponse } from './node-response.ts'

/** What is used of Node's `IncomingMessage`. */
export interface NodeHttpRequest extends NodeRequest {
  readonly socket: { readonly remoteAddress?: string | undefined }
}

export interface ProtectOptions<Request> extends GuardOptions<Request>, RouteOptions {
  readonly scopes?: Scopes
}

type Handler<Request, Response, Caller> = (request: Request, response: Response, principal: Caller) => unknown

/**
 * Wraps a request handler. It is called with the Principal as a third argument, or not at all: then 401, 403, 429 or
 * 503 has been answered. What it returns or throws is passed on; a Promise comes back when the server had to be asked.
 *
 * The caller's address is the socket's. Behind a proxy that is the proxy: give `clientIp`.
 */
export function protect<Request extends NodeHttpRequest, Response extends NodeResponse>(
  verifier: Verifier,
  handler: Handler<Request, Response, Principal>,
  options?: ProtectOptions<Request> & { readonly optional?: false },
): (request: Request, response: Response) => unknown
export function protect<Request extends NodeHttpRequest, Response extends NodeResponse>(
  verifier: Verifier,
  handler: Handler<Request, Response, Principal | undefined>,
  options: ProtectOptions<Request>,
): (request: Request, response: Response) => unknown
export function protect<Request extends NodeHttpRequest, Response extends NodeResponse>(
  verifier: Verifier,
  // The overloads promise a Principal wherever `optional` is not set.
  handler: Handler<Request, Response, never>,
  options: ProtectOptions<Request> = {},
): (request: Request, response: Response) => unknown {
  checkProtectedResource(verifier, options)
  const demands = demandsOf(parseScopes(options.scopes), options)
  return (request, response) => {
    const settle = (result: Result) => {
      const outcome = admission(verifier, result, options, demands.scopes, options.optional)
      if (outcome.admitted) setHeaders(response, outcome.headers)
      if (outcome.admitted) return handler(request, response, outcome.principal as never)
      return sendRefusal(response, outcome.refusal)
    }
    const ip = options.clientIp ? options.clientIp(request) : request.socket.remoteAddress
    const result = verifyWithSession(verifier, request, options.session, { ...demands, ip }, (cookies) =>
      setCookies(response, cookies),
    )
    return result instanceof Promise ? result.then(settle) : settle(result)
  }
}

/** Answers a request for the metadata (RFC 9728) and says so; false: the request is for something else. */
export function serveMetadata(
  resource: ProtectedResource,
  request: { readonly method?: string | undefined; readonly url?: string | undefined },
  response: NodeResponse,
): boolean {
  const answer = metadataAnswer(resource, request.method, request.url)
  if (answer) sendMetadata(response, answer)
  return answer !== undefined
}
