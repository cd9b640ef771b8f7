/**
 * The OAuth endpoints on Fastify. The engine reads bodies itself, so these routes live in a context of their own without
 * parsers, and hand the bare request over.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { declareRoute } from '../http/index.ts'
import { basePath, ROUTES } from './endpoints.ts'
import { hasBearer, introspectAsVerifier } from './introspection-routes.ts'
import type { LazyEngine } from './lazy-engine.ts'
import { withEvidence } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'
import { answerPlainly } from './token-routes.ts'

interface Endpoint {
  readonly path: string
  readonly methods: readonly ('GET' | 'POST' | 'OPTIONS')[]
  readonly what: string
}

/** OPTIONS: programs in a browser call it, from the origins that their client has registered. */
const ENDPOINTS: readonly Endpoint[] = [
  { path: ROUTES.authorization, methods: ['GET'], what: 'Authorization endpoint (RFC 6749, 3.1)' },
  { path: `${ROUTES.authorization}/:uid`, methods: ['GET'], what: 'Authorization, continued' },
  { path: ROUTES.token, methods: ['POST', 'OPTIONS'], what: 'Token endpoint (RFC 6749, 3.2)' },
  { path: ROUTES.userinfo, methods: ['GET', 'POST', 'OPTIONS'], what: 'UserInfo (OpenID Connect Core, 5.3)' },
  { path: ROUTES.introspection, methods: ['OPTIONS'], what: 'Introspection (RFC 7662)' },
  { path: ROUTES.revocation, methods: ['POST', 'OPTIONS'], what: 'Revocation (RFC 7009)' },
  {
    path: ROUTES.device_authorization,
    methods: ['POST', 'OPTIONS'],
    what: 'Device authorization (RFC 8628)',
  },
  { path: ROUTES.code_verification, methods: ['GET', 'POST'], what: 'Where the code of a device is typed' },
  { path: `${ROUTES.code_verification}/:uid`, methods: ['GET'], what: 'Device flow, continued' },
  { path: ROUTES.pushed_authorization_request, methods: ['POST', 'OPTIONS'], what: 'PAR (RFC 9126)' },
  {
    path: ROUTES.registration,
    methods: ['POST', 'OPTIONS'],
    what: 'Registration (RFC 7591), where it is on',
  },
  { path: ROUTES.end_session, methods: ['GET'], what: 'Logout (OpenID Connect RP-Initiated Logout)' },
  { path: `${ROUTES.end_session}/confirm`, methods: ['POST'], what: 'Logout, confirmed' },
  { path: `${ROUTES.end_session}/success`, methods: ['GET'], what: 'Logout, done' },
]

const METADATA = ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']

const access = { kind: 'public', why: 'clients authenticate by OAuth, and users by signing in' } as const

export function oauthRoutes(server: FastifyInstance, lazy: LazyEngine, ports: OAuthPorts): void {
  const base = basePath(ports.issuer)
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _body, done) => done(null))

    const add = (url: string, path: string, { methods, what }: Omit<Endpoint, 'path'>): void => {
      for (const method of methods)
        declareRoute(scope, {
          method,
          url,
          access,
          summary: what,
          tags: ['OAuth'],
          documented: false,
          schema: { response: {} },
          handler: (request, reply) => hand(lazy, ports, request, reply, pathOf(request, path, base)),
        })
    }
    for (const { path, ...endpoint } of ENDPOINTS)
      if (path !== ROUTES.registration || ports.dynamicRegistration) add(base + path, path, endpoint)
    declareRoute(scope, {
      method: 'POST',
      url: base + ROUTES.introspection,
      access: { kind: 'verifier' },
      openTo: (request) => !hasBearer(request),
      summary: 'Introspection (RFC 7662)',
      tags: ['OAuth'],
      documented: false,
      schema: { response: {} },
      handler: (request, reply) =>
        hasBearer(request)
          ? introspectAsVerifier(ports, request.caller, request, reply)
          : hand(lazy, ports, request, reply, ROUTES.introspection),
    })
    for (const path of METADATA) {
      const endpoint = { methods: ['GET', 'OPTIONS'], what: 'Metadata (RFC 8414)' } as const
      add(base + path, path, endpoint)
      // RFC 8414, section 3.1: where the issuer has a path, it comes after the well-known part.
      if (base !== '') add(path + base, path, endpoint)
    }
  })
}

/** The path as the engine has it: without the issuer's, and with the parameters filled in. */
function pathOf(request: FastifyRequest, path: string, base: string): string {
  if (!path.includes(':')) return path
  const [called = ''] = request.url.split('?', 1)
  return called.slice(base.length)
}

async function hand(
  lazy: LazyEngine,
  ports: OAuthPorts,
  request: FastifyRequest,
  reply: FastifyReply,
  path: string,
): Promise<void> {
  if (
    path === ROUTES.token &&
    request.method === 'POST' &&
    (await answerPlainly(lazy, ports, request, reply))
  )
    return
  const { ip, id: requestId, raw: req } = request
  const route = request.routeOptions.url ?? path
  const engine = await lazy.load()
  await withEvidence(ports.storage, { ip, requestId, route }, async () => {
    reply.hijack()
    const res = reply.raw
    res.setHeader('x-request-id', requestId)
    res.setHeader('x-content-type-options', 'nosniff')
    res.setHeader('x-frame-options', 'DENY')
    res.setHeader('referrer-policy', 'no-referrer')
    await engine.handle(req, res, path, ip)
  })
}
