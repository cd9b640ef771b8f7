/**
 * `@postern/sdk/mcp`: for MCP servers over Streamable HTTP, with `@modelcontextprotocol/server` or the older
 * `@modelcontextprotocol/sdk`.
 *
 *     const mcp = protectedResource({ resource, authorizationServers, scopes: ['notes:read'] })
 *     const serve = protect(verifier, createMcpHandler(newServer).fetch, { protectedResource: mcp, scopes: 'notes:read' })
 *
 * `protect` is for what answers a web `Request`, `createGuard` for Express and `node:http`. Both serve the metadata, too.
 */
import type { NodeRequest } from '../presented.ts'
import type { Principal, Result } from '../principal.ts'
import { metadataAnswer, type ProtectedResource } from '../protected-resource.ts'
import type { Verifier } from '../verifier.ts'
import {
  admission,
  checkProtectedResource,
  demandsOf,
  noPrincipal,
  parseScopes,
  type GuardOptions,
  type RouteOptions,
  type Scopes,
} from './guard-options.ts'
import { authInfoOf, type AuthInfo } from './mcp-auth-info.ts'
import { readNodeMessage, readWebMessage, UNREADABLE, type UnreadableMessage } from './mcp-message.ts'
import { missingToolScopes, parseToolScopes } from './mcp-tool-scopes.ts'
import { sendRefusal, serveMetadata, setHeaders, type NodeResponse } from './node-response.ts'
import { refusedResponse, withHeaders } from './web-response.ts'

export type { AuthInfo } from './mcp-auth-info.ts'
export { serveMetadata } from './node-response.ts'

/** MCP clients bring their own tokens: there is no session of a browser. */
export interface McpOptions<Request>
  extends Omit<GuardOptions<Request>, 'session'>, Omit<RouteOptions, 'optional'> {
  /** Made by `protectedResource()`, for the URL of the MCP endpoint. Clients sign in through it. */
  readonly protectedResource: ProtectedResource
  /** What every request to the endpoint needs, and what a client asks for at first. Default: any good credential. */
  readonly scopes?: Scopes
  /**
   * What single tools need beyond that: `{ delete_note: 'notes:write' }`. A caller without it gets 403 with the scopes to
   * ask for, and MCP clients sign in again by themselves. `@modelcontextprotocol/server` can say the same beside the
   * tool, by `scopeChallenge`; with that, leave this out.
   */
  readonly toolScopes?: Readonly<Record<string, Scopes>>
}

/** What both MCP SDKs take: `createMcpHandler(…).fetch`, or a web transport's `handleRequest`. */
export type McpFetch = (
  request: Request,
  options: { readonly authInfo: AuthInfo; readonly parsedBody?: unknown },
) => Response | Promise<Response>

/**
 * Wraps an MCP server's `fetch`. It is called with `authInfo`, or not at all: then the metadata, 401, 403, 429 or 503 has
 * been answered.
 */
export function protect(
  verifier: Verifier,
  handle: McpFetch,
  options: McpOptions<Request>,
): (request: Request) => Promise<Response> {
  const decide = decisions(verifier, options)
  return async (request) => {
    const metadata = metadataAnswer(options.protectedResource, request.method, request.url)
    if (metadata) return new Response(metadata.body === '' ? null : metadata.body, metadata)

    const ip = options.clientIp?.(request)
    const first = decide.credential(await verifier.verify(request, { ...decide.demands, ip }))
    if (!first.admitted) return refusedResponse(first.refusal)
    const authInfo = authInfoOf(request, first.principal, options.protectedResource)
    const answer = async (incoming: Request, more?: { readonly parsedBody: unknown }) =>
      withHeaders(await handle(incoming, { authInfo, ...more }), first.headers)
    if (!decide.readsTools || request.method !== 'POST') return answer(request)

    const message = await readWebMessage(request)
    if (UNREADABLE in message) return Response.json(message.error, { status: message.status })
    const second = decide.tools(first.principal, message.json)
    return second ? refusedResponse(second) : answer(message.request, { parsedBody: message.json })
  }
}

/** What is used of an Express request, or of Node's `IncomingMessage`. */
export interface McpNodeRequest extends NodeRequest, AsyncIterable<unknown> {
  readonly method?: string | undefined
  readonly originalUrl?: string
  readonly ip?: string | undefined
  readonly socket: { readonly remoteAddress?: string | undefined }
  /** Where the MCP SDKs look for it. */
  auth?: AuthInfo
  /** Read and parsed by the guard when it has `toolScopes`: hand it to the transport. */
  body?: unknown
  readonly readableDidRead?: boolean
}

export type McpGuard = (request: McpNodeRequest, response: NodeResponse, next: () => void) => void

/**
 * Makes middleware for Express and `node:http`: it sets `req.auth` for the MCP SDK, or answers itself. Everything that comes
 * to it is guarded, except for the metadata; mounted at a path, it does not see the metadata: `app.use(serveMetadata(…))`.
 *
 * The caller's address is `req.ip`, or else the socket's.
 */
export function createGuard(verifier: Verifier, options: McpOptions<McpNodeRequest>): McpGuard {
  const decide = decisions(verifier, options)
  const metadata = serveMetadata(options.protectedResource)

  async function admits(
    request: McpNodeRequest,
    response: NodeResponse,
    ip: string | undefined,
  ): Promise<boolean> {
    const { method, headers, rawHeaders } = request
    const url = request.originalUrl ?? request.url
    const result = await verifier.verify({ method, headers, rawHeaders, url }, { ...decide.demands, ip })
    const first = decide.credential(result)
    if (!first.admitted) return refuse(() => sendRefusal(response, first.refusal))
    setHeaders(response, first.headers)
    request.auth = authInfoOf(request, first.principal, options.protectedResource)
    if (!decide.readsTools || request.method !== 'POST') return true

    const message = isParsed(request) ? { json: request.body } : await readNodeMessage(request)
    if (UNREADABLE in message) return refuse(() => sendUnreadable(response, message))
    request.body = message.json
    const second = decide.tools(first.principal, message.json)
    return second ? refuse(() => sendRefusal(response, second)) : true
  }

  return (request, response, next) =>
    metadata(request, response, async () => {
      const ip = options.clientIp ? options.clientIp(request) : (request.ip ?? request.socket.remoteAddress)
      // `next` is never given an error: whoever calls on without looking at it would let everybody in.
      if (await admits(request, response, ip)) next()
    })
}

/** A parser that left the body alone may have set an empty one all the same, and the MCP SDK would read the real one. */
function isParsed({ body, readableDidRead }: McpNodeRequest): boolean {
  return body !== undefined && readableDidRead !== false
}

/** The caller behind an MCP request: `principalOf(ctx.http?.authInfo)`, or `extra.authInfo` in the older SDK. */
export function principalOf(authInfo: { readonly extra?: Record<string, unknown> } | undefined): Principal {
  const principal = authInfo?.extra?.['principal'] as Principal | undefined
  if (!principal) throw noPrincipal()
  return principal
}

/** The two questions: is the credential good for the endpoint, and for the tools that the message calls? */
function decisions<Incoming>(verifier: Verifier, options: McpOptions<Incoming>) {
  checkProtectedResource(verifier, options)
  const scopes = parseScopes(options.scopes)
  const toolScopes = parseToolScopes(options.toolScopes)
  return {
    demands: demandsOf(scopes, options),
    readsTools: toolScopes.size > 0,
    credential(result: Result) {
      const outcome = admission(verifier, result, options, scopes)
      // Without `optional`, whoever is admitted is known.
      return outcome.admitted ? { ...outcome, principal: outcome.principal as Principal } : outcome
    },
    tools(principal: Principal, message: unknown) {
      const denial = missingToolScopes(toolScopes, principal, message)
      const outcome = denial && admission(verifier, denial, options, scopes)
      return outcome && !outcome.admitted ? outcome.refusal : undefined
    },
  }
}

function refuse(answer: () => void): false {
  answer()
  return false
}

function sendUnreadable(response: NodeResponse, { status, error }: UnreadableMessage): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(error))
}
