/**
 * The feed for verifiers outside this process: GET /v1/feed/snapshot, /v1/feed/stream and /v1/feed/events. What they
 * promise is in docs/revocation.md.
 */
import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import {
  API_HEADERS,
  declareRoute,
  problemOfDenial,
  Rfc3339,
  sendJson,
  sendProblem,
  setApiHeaders,
} from '../http/index.ts'
import { type Caller, type Clock, denial, PosternError, rfc3339 } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { CredentialWatch, type FollowerLimits } from './credential-watch.ts'
import { FeedBroadcast } from './feed-broadcast.ts'
import { FeedPoll } from './feed-poll.ts'
import { type FeedReader, OLDEST_READING_MS } from './feed-reader.ts'
import { SnapshotTexts } from './feed-snapshot.ts'
import { FeedStream } from './feed-stream.ts'
import type { Beat } from './feed-wire.ts'
import { resume } from './resume.ts'

export interface FeedRoutes {
  readonly storage: Storage
  readonly clock: Clock
  readonly feed: FeedReader
  readonly issuer: string
  /** The keys that tokens are signed with. */
  readonly keys: {
    jwks(): { readonly body: string; readonly etag: string }
    onChange(listener: () => void): () => void
  }
  /** The resources that the caller reaches. */
  resources(caller: Caller): Promise<readonly FedResource[]>
  readonly limits?: FollowerLimits
}

interface FedResource {
  readonly id: string
  readonly uri: string
  readonly createdAtMs: number
  readonly cacheSeconds: number
}

const tags = ['Feed']
const access = { kind: 'verifier' } as const
const LONGEST_WAIT_SECONDS = 25

const Seq = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Epoch = Type.String({ maxLength: 64, pattern: '^[0-9A-Za-z]*$' })
const AgeMs = Type.Integer({
  description: 'How long ago the reading began, on this node, that last reached the head on the primary.',
})
const Row = Type.Object({
  seq: Seq,
  kind: Type.String(),
  key: Type.String(),
  effect: Type.Enum(['revoked', 'changed', 'deleted']),
  at: Type.Integer({ description: 'Unix milliseconds.' }),
  drop_after: Type.Integer({ description: 'Unix milliseconds: nobody needs it afterwards.' }),
})
const Jwks = Type.Object({ keys: Type.Array(Type.Unknown()) })
const Snapshot = Type.Object({
  epoch: Epoch,
  head: Seq,
  now: Type.Integer({ description: "The server's clock, Unix milliseconds." }),
  age_ms: AgeMs,
  issuer: Type.String(),
  tenant: Type.Union([Type.String(), Type.Null()], {
    description: 'The one tenant whose rows are told; null: every tenant.',
  }),
  resources: Type.Array(
    Type.Object({
      id: Type.String(),
      uri: Type.String(),
      created_at: Rfc3339,
      cache_seconds: Type.Integer(),
    }),
  ),
  jwks: Jwks,
  rows: Type.Array(Row),
})
const Events = Type.Union([
  Type.Object({
    epoch: Epoch,
    head: Seq,
    now: Type.Integer(),
    age_ms: AgeMs,
    rows: Type.Array(Row),
    jwks_etag: Type.String(),
    jwks: Type.Optional(Jwks),
  }),
  Type.Object({ reset: Type.Literal(true), epoch: Epoch, head: Seq }),
])

/** The answer tells how many follow the feed in this process. */
export function feedRoutes(server: FastifyInstance, ports: FeedRoutes): () => number {
  const { clock, feed, keys, storage } = ports
  const watch = new CredentialWatch(server.posternHttp.authenticate, ports.limits)
  const broadcast = new FeedBroadcast({ feed, clock, keys, onTick: () => watch.check() })
  const snapshots = new SnapshotTexts(storage, feed, clock)
  // Before Fastify waits for the connections to end: these would not.
  server.addHook('preClose', async () => broadcast.close())

  declareRoute(server, {
    method: 'GET',
    url: '/v1/feed/snapshot',
    access,
    bearerOnly: true,
    summary: 'Everything a verifier starts from',
    description:
      'Every row in force that the credential may see, the public keys, and the APIs it reaches. `head` is where the stream goes on.',
    tags,
    schema: { response: { 200: Snapshot } },
    async handler(request, reply) {
      const { caller } = request
      const rows = await snapshots.rowsFor(caller.tenant)
      const resources = await ports.resources(caller)
      const ageMs = Math.ceil(clock.monotonicMs() - rows.readAtMs)
      if (ageMs > OLDEST_READING_MS) throw cannotVouch()
      const { body: jwks, etag: jwksTag } = keys.jwks()
      const wire = JSON.stringify(resources.map(wireOf))
      const etag = `W/"${hash('sha256', JSON.stringify([rows.epoch, rows.head, caller.tenant, wire, jwksTag]), 'base64url').slice(0, 22)}"`
      setApiHeaders(reply, request.id)
      reply.header('etag', etag)
      if (request.headers['if-none-match'] === etag) return reply.status(304).send()
      const { epoch, head } = rows
      const start = {
        epoch,
        head,
        now: clock.nowMs(),
        age_ms: ageMs,
        issuer: ports.issuer,
        tenant: caller.tenant,
      }
      const opening = Buffer.from(
        `${JSON.stringify(start).slice(0, -1)},"resources":${wire},"jwks":${jwks},"rows":[`,
      )
      const parts = [opening, ...rows.parts, Buffer.from(']}')]
      reply
        .header('content-type', 'application/json; charset=utf-8')
        .header('content-length', String(parts.reduce((sum, part) => sum + part.length, 0)))
      return reply.send(Readable.from(parts, { objectMode: false }))
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/feed/stream',
    access,
    bearerOnly: true,
    summary: 'Follow the feed',
    description:
      'Server-sent events: `row`, `heartbeat` every second and after rows, `jwks` at first and when they change, `reset`, `end`. Without `after` it begins at the head.',
    tags,
    schema: {
      querystring: Type.Object({
        after: Type.Optional(Seq),
        epoch: Type.Optional(Epoch),
      }),
      response: {
        200: { description: 'The stream', content: { 'text/event-stream': { schema: Type.String() } } },
      },
    },
    async handler(request, reply) {
      const receivedAtMs = clock.monotonicMs()
      refuseWhenClosed(broadcast)
      // Its answer has a head and nothing else.
      if (request.method === 'HEAD') return reply.header('content-type', 'text/event-stream').send()
      const { after, epoch } = request.query
      const opened: { stream?: FeedStream } = {}
      const letGo = watch.hold(request, (code) => opened.stream?.end(code))
      reply.hijack()
      const { raw } = reply
      const stream = new FeedStream(
        raw,
        { clock, tenant: request.caller.tenant, receivedAtMs, jwks: () => keys.jwks().body },
        { ...API_HEADERS, 'x-request-id': request.id },
      )
      opened.stream = stream
      raw.on('close', () => {
        broadcast.leave(stream)
        letGo()
      })
      try {
        const whole = await resume(storage, feed, {
          after: after ?? feed.position,
          epoch,
          rows: (rows) => stream.earlierRows(rows),
          gone: () => stream.gone || broadcast.closed,
          join() {
            if (stream.gone) return
            broadcast.join(stream)
            // They may have changed since the snapshot, when nobody told.
            stream.keysChanged()
            const beat = broadcast.beatNow()
            if (beat) stream.beat(beat)
          },
        })
        if (!whole) stream.reset(feed.epoch, feed.position)
        else if (broadcast.closed) stream.close()
      } catch (error) {
        request.log.warn({ err: error }, 'a stream could not be resumed')
        stream.close()
      }
      return reply
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/feed/events',
    access,
    bearerOnly: true,
    summary: 'Follow the feed by long poll',
    description:
      'For what cannot hold a stream. Answers at once when there are rows after `after`, else as soon as there are, or after `wait` seconds.',
    tags,
    schema: {
      querystring: Type.Object({
        after: Seq,
        epoch: Type.Optional(Epoch),
        wait: Type.Optional(
          Type.Integer({ minimum: 0, maximum: LONGEST_WAIT_SECONDS, description: 'Seconds; 0 unless told.' }),
        ),
        jwks: Type.Optional(
          Type.String({ maxLength: 100, description: '`jwks_etag` of the keys that the caller has.' }),
        ),
      }),
      response: { 200: Events },
    },
    async handler(request, reply) {
      refuseWhenClosed(broadcast)
      const { after, epoch, wait = 0, jwks } = request.query
      const poll = new FeedPoll(request.caller.tenant, () => broadcast.beatNow())
      const letGo = watch.hold(request, (code) => poll.end(code))
      const timer = setTimeout(() => poll.timeIsOver(), wait * 1000)
      const close = (): void => poll.close()
      reply.raw.on('close', close)
      try {
        const whole = await resume(storage, feed, {
          after,
          epoch,
          rows: (rows) => poll.earlierRows(rows),
          gone: () => poll.answered || broadcast.closed,
          join() {
            poll.joined()
            if (!poll.answered) broadcast.join(poll)
          },
        })
        if (!whole) poll.reset()
        else if (broadcast.closed) poll.close()
        const outcome = await poll.outcome
        if (outcome.kind === 'silent') throw cannotVouch()
        if (outcome.kind === 'ended')
          return sendProblem(reply, request, problemOfDenial(denial(outcome.code)))
        setApiHeaders(reply, request.id)
        if (outcome.kind === 'reset') return { reset: true, epoch: feed.epoch, head: feed.position }
        return sendJson(reply, eventsText(outcome.beat, outcome.texts, keys.jwks(), jwks))
      } finally {
        clearTimeout(timer)
        reply.raw.off('close', close)
        broadcast.leave(poll)
        letGo()
      }
    },
  })
  return () => watch.count
}

function eventsText(
  beat: Beat,
  rows: readonly string[],
  jwks: { readonly body: string; readonly etag: string },
  known: string | undefined,
): string {
  const etag = jwks.etag.replaceAll('"', '')
  const keys = known?.replaceAll('"', '') === etag ? '' : `,"jwks":${jwks.body}`
  return `${beat.text},"rows":[${rows.join(',')}],"jwks_etag":"${etag}"${keys}}`
}

function wireOf({ id, uri, createdAtMs, cacheSeconds }: FedResource): object {
  return { id, uri, created_at: rfc3339(createdAtMs), cache_seconds: cacheSeconds }
}

function cannotVouch(): PosternError {
  return new PosternError(
    'storage_unavailable',
    'Revocations cannot be read right now, so nothing is vouched for.',
    { retryAfterSeconds: 1 },
  )
}

function refuseWhenClosed(broadcast: FeedBroadcast): void {
  if (broadcast.closed) throw new PosternError('shutting_down', 'The server is shutting down.')
}
