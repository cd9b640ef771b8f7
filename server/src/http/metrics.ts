/**
 * Prometheus metrics: the process's own, requests by route and status, decisions by code. Counting happens on every
 * request and is kept to a few additions; prom-client is loaded, and labels are made, only when somebody scrapes.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Registry } from 'prom-client'
import { Type } from 'typebox'
import { isFromThisMachine } from './loopback.ts'
import { declareRoute } from './declare-route.ts'
import { RequestDurations } from './request-durations.ts'

export interface Metrics {
  /** One verify: `valid`, or the denial's code. */
  countDecision(code: string): void
  /** How old the newest known position of the feed is; read when somebody scrapes. */
  watchFeedAge(seconds: () => number): void
  /** How many verifiers follow the feed in this process. */
  watchFollowers(count: () => number): void
  /** Fastify's onResponse hook. */
  readonly observe: (request: FastifyRequest, reply: FastifyReply, done: () => void) => void
  /** The text of a scrape and its content type. */
  expose(): Promise<{ contentType: string; text: string }>
}

interface Counts {
  readonly durations: RequestDurations
  readonly decisions: Map<string, number>
  feedAgeSeconds: () => number
  followers: () => number
}

export function createMetrics(): Metrics {
  const counts: Counts = {
    durations: new RequestDurations(),
    decisions: new Map(),
    feedAgeSeconds: () => 0,
    followers: () => 0,
  }
  const { durations, decisions } = counts
  let registry: Promise<Registry> | undefined

  return {
    countDecision: (code) => decisions.set(code, (decisions.get(code) ?? 0) + 1),
    watchFeedAge: (seconds) => (counts.feedAgeSeconds = seconds),
    watchFollowers: (count) => (counts.followers = count),
    observe: (request, reply, done) => {
      durations.add(request.routeOptions.url, reply.statusCode, reply.elapsedTime / 1000)
      done()
    },
    async expose() {
      const known = await (registry ??= registryOf(counts))
      return { contentType: known.contentType, text: await known.metrics() }
    },
  }
}

async function registryOf(counts: Counts): Promise<Registry> {
  const { collectDefaultMetrics, Counter, Gauge, Registry: NewRegistry } = await import('prom-client')
  const registry = new NewRegistry()
  collectDefaultMetrics({ register: registry, prefix: 'postern_' })
  registry.registerMetric(counts.durations.asMetric())
  registry.registerMetric(
    new Counter({
      name: 'postern_verify_decisions_total',
      help: 'Verified credentials by answer: valid, or the code of the denial.',
      labelNames: ['code'],
      registers: [],
      collect() {
        this.reset()
        for (const [code, count] of counts.decisions) this.inc({ code }, count)
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'postern_feed_age_seconds',
      help: 'Seconds since this process last knew the revocation feed to be current.',
      registers: [],
      collect() {
        this.set(counts.feedAgeSeconds())
      },
    }),
  )
  registry.registerMetric(
    new Gauge({
      name: 'postern_feed_followers',
      help: 'Verifiers that follow the revocation feed in this process.',
      registers: [],
      collect() {
        this.set(counts.followers())
      },
    }),
  )
  return registry
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
      const { contentType, text } = await metrics.expose()
      reply.header('content-type', contentType)
      return text
    },
  })
}
