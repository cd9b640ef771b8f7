/**
 * Prometheus metrics: the process's own, requests by route and status, and what modules put into the registry. Counting
 * happens on every request and is kept to a few additions; labels are only made when somebody scrapes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { Type } from 'typebox'
import { isFromThisMachine } from './loopback.ts'
import { declareRoute } from './declare-route.ts'
import { RequestDurations } from './request-durations.ts'

export interface Metrics {
  /** Modules add their own here. */
  readonly registry: Registry
  /** One verify: `valid`, or the denial's code. */
  countDecision(code: string): void
  /** How old the newest known position of the feed is; read when somebody scrapes. */
  watchFeedAge(seconds: () => number): void
  /** Fastify's onResponse hook. */
  readonly observe: (request: FastifyRequest, reply: FastifyReply, done: () => void) => void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, prefix: 'postern_' })
  const durations = new RequestDurations()
  registry.registerMetric(durations.asMetric())
  const decisions = new Map<string, number>()
  countOf(registry, decisions)

  return {
    registry,
    countDecision: (code) => decisions.set(code, (decisions.get(code) ?? 0) + 1),
    watchFeedAge: (seconds) => gaugeOf(registry, seconds),
    observe: (request, reply, done) => {
      durations.add(request.routeOptions.url, reply.statusCode, reply.elapsedTime / 1000)
      done()
    },
  }
}

function countOf(registry: Registry, decisions: ReadonlyMap<string, number>): void {
  registry.registerMetric(
    new Counter({
      name: 'postern_verify_decisions_total',
      help: 'Verified credentials by answer: valid, or the code of the denial.',
      labelNames: ['code'],
      registers: [],
      collect() {
        this.reset()
        for (const [code, count] of decisions) this.inc({ code }, count)
      },
    }),
  )
}

function gaugeOf(registry: Registry, seconds: () => number): void {
  registry.registerMetric(
    new Gauge({
      name: 'postern_feed_age_seconds',
      help: 'Seconds since this process last knew the revocation feed to be current.',
      registers: [],
      collect() {
        this.set(seconds())
      },
    }),
  )
}

/**
 * `GET /metrics`. It tells how busy a deployment is and which credentials fail: a scraper on this machine reads it as it
 * is, one from elsewhere needs an operator key with `audit:read`.
 */
export function mountMetrics(server: FastifyInstance, metrics: Metrics): void {
  declareRoute(server, {
    method: 'GET',
    url: '/metrics',
    access: { kind: 'management', scope: 'audit:read' },
    openTo: isFromThisMachine,
    summary: 'Metrics for Prometheus',
    description:
      'In the text format of Prometheus. From loopback, without a proxy between, no credential is needed.',
    tags: ['health'],
    schema: {
      response: { 200: { description: 'Metrics', content: { 'text/plain': { schema: Type.String() } } } },
    },
    handler: async (_request, reply) => {
      reply.header('content-type', metrics.registry.contentType)
      return metrics.registry.metrics()
    },
  })
}
