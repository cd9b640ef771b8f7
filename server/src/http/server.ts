/**
 * The HTTP server: Fastify with strict parsing and validation, bounded in bytes and time, every refusal a problem, and no
 * route without an access. It knows no domain; `app.ts` hands it the ports and declares the routes on it.
 */
import { fastify } from 'fastify'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { inCidrs, parseCidrs } from '../kernel/index.ts'
import type { Access, Admit, Authenticate, Caller } from '../kernel/index.ts'
import { answerClientError } from './client-error.ts'
import type { DeclaredRoute } from './declare-route.ts'
import type { Metrics } from './metrics.ts'
import { answerUnknownRoute } from './not-found.ts'
import { addParsers } from './parsers.ts'
import { createRequestLog, DebugLogController } from './request-log.ts'
import { requestIds } from './request-id.ts'
import { handleError } from './send-problem.ts'
import { createValidatorCompiler } from './validate.ts'

export interface ServerOptions {
  readonly logger: Logger
  readonly authenticate: Authenticate
  /** Absent: no limits. */
  readonly admit?: Admit
  /** Peers whose `X-Forwarded-*` and `X-Request-Id` are believed, as CIDR blocks. */
  readonly trustedProxies?: readonly string[]
  /** PEM, not file names. */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
  readonly metrics?: Metrics
}

/** What `declareRoute` finds on the server. */
export interface PosternHttp {
  readonly authenticate: Authenticate
  readonly admit: Admit | undefined
  readonly routes: DeclaredRoute[]
  /** Set when the server has begun to shut down. */
  draining: boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    posternHttp: PosternHttp
  }
  interface FastifyRequest {
    caller: Caller | undefined
    /** The body's bytes, kept where an Idempotency-Key came with them. */
    rawBody: Buffer | undefined
    idempotencyKey: string | undefined
  }
  interface FastifyContextConfig {
    access?: Access
    idempotent?: boolean
    ndjson?: boolean
    form?: boolean
    signed?: boolean
    page?: boolean
  }
}

const BODY_LIMIT_BYTES = 256 * 1024

export function createServer(options: ServerOptions): FastifyInstance {
  const trusted = parseCidrs(options.trustedProxies ?? [])
  const isTrusted = (address: string): boolean => inCidrs(address, trusted)

  const server = fastify({
    loggerInstance: options.logger,
    logController: new DebugLogController(),
    childLoggerFactory: createRequestLog,
    genReqId: requestIds(trusted.length > 0 ? isTrusted : undefined),
    trustProxy: trusted.length > 0 ? isTrusted : false,
    bodyLimit: BODY_LIMIT_BYTES,
    // Ours instead of Fastify's own, which it would load otherwise.
    schemaController: {
      compilersFactory: {
        buildValidator: (() => createValidatorCompiler()) as never,
        buildSerializer: () => () => JSON.stringify,
      },
    },
    routerOptions: { maxParamLength: 512 },
    // A client that dribbles its headers or body loses its connection; answers may take as long as they need.
    requestTimeout: 30_000,
    keepAliveTimeout: 65_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 2_000 },
    ...(options.tls && { https: { ...options.tls, minVersion: 'TLSv1.2' as const } }),
    return503OnClosing: false,
    clientErrorHandler: answerClientError,
    frameworkErrors: handleError,
  }) as unknown as FastifyInstance

  const { authenticate, admit } = options
  server.decorate('posternHttp', { authenticate, admit, routes: [], draining: false })
  server.decorateRequest('caller', undefined)
  server.decorateRequest('rawBody', undefined)
  server.decorateRequest('idempotencyKey', undefined)
  server.setErrorHandler(handleError)
  server.setNotFoundHandler(answerUnknownRoute)
  addParsers(server)
  if (options.metrics) server.addHook('onResponse', options.metrics.observe)

  server.addHook('onRoute', ({ method, url, config }) => {
    if (!config?.access)
      throw new Error(`${String(method)} ${url} has no access: add routes with declareRoute() only`)
  })
  return server
}
