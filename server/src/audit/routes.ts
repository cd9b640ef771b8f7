/** /v1/audit and /v1/activity */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, Nullable, PageOf, PageQuery, parseTime, Rfc3339 } from '../http/index.ts'
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  requireDeployment,
  rfc3339,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { listActivity, listEvents, readHead } from './store.ts'
import { verifyChain } from './verify-chain.ts'

const Hash = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })
const Head = Type.Object({ seq: Type.Integer({ minimum: 0 }), hash: Hash })
const Text = Type.String({ maxLength: 200, pattern: '^[^\\u0000]*$' })

const AuditEventBody = Type.Object({
  seq: Type.Integer(),
  id: Type.String(),
  at: Rfc3339,
  tenant: Nullable(Type.String()),
  actor: Type.Object({ type: Type.String(), id: Type.String() }),
  action: Type.String(),
  target: Type.Object({ type: Type.String(), id: Type.String() }),
  data: Type.Record(Type.String(), Type.Unknown()),
  previous_hash: Hash,
  hash: Hash,
})

const ActivityBody = Type.Object({
  minute: Rfc3339,
  kind: Type.String(),
  code: Type.String(),
  route: Type.String(),
  network: Type.String(),
  tenant: Nullable(Type.String()),
  credential: Nullable(Type.String()),
  count: Type.Integer(),
  first_at: Rfc3339,
  last_at: Rfc3339,
})

const Span = { since: Type.Optional(Rfc3339), until: Type.Optional(Rfc3339) }
const tags = ['Audit']
const access = { kind: 'management', scope: 'audit:read' } as const

export function auditRoutes(server: FastifyInstance, storage: Storage): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/audit',
    access,
    summary: 'List committed changes',
    description: 'Newest first. A tenant operator sees the changes of that tenant.',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        ...Span,
        tenant: Type.Optional(Text),
        actor: Type.Optional(Text),
        action: Type.Optional(Text),
        target: Type.Optional(Text),
      }),
      response: { 200: PageOf(AuditEventBody) },
    },
    async handler({ caller, query }) {
      const limit = query.limit ?? DEFAULT_LIMIT
      const before = decodeCursor('audit', 'number', query.cursor)
      const filter = {
        ...within(caller, query.tenant),
        actor: query.actor,
        action: query.action,
        target: query.target,
        sinceMs: parseTime('/since', query.since),
        untilMs: parseTime('/until', query.until),
      }
      const rows = await listEvents(storage, filter, { before, limit: limit + 1 })
      const page = toPage('audit', rows, limit, (event) => event.seq)
      return {
        data: page.data.map((event) => ({
          seq: event.seq,
          id: event.id,
          at: rfc3339(event.at),
          tenant: event.tenant,
          actor: { type: event.actorType, id: event.actorId },
          action: event.action,
          target: { type: event.targetType, id: event.targetId },
          data: JSON.parse(event.data) as Record<string, unknown>,
          previous_hash: event.previousHash,
          hash: event.hash,
        })),
        next_cursor: page.nextCursor,
      }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/audit/head',
    access,
    summary: 'Read the head of the audit chain',
    description: 'Keep it elsewhere: checking against it later shows whether the tail was cut off.',
    tags,
    schema: { response: { 200: Head } },
    async handler({ caller }) {
      requireDeployment(caller, 'The head of the audit chain')
      return readHead(storage)
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/audit/verify',
    access,
    summary: 'Check the audit chain',
    description: 'Recomputes every hash. With a `head` that was kept elsewhere, a cut tail shows too.',
    tags,
    schema: {
      body: Type.Object({ head: Type.Optional(Head) }),
      response: {
        200: Type.Object({
          ok: Type.Boolean(),
          checked: Type.Integer(),
          head: Head,
          broken_at: Type.Optional(Type.Object({ seq: Type.Integer(), reason: Type.String() })),
        }),
      },
    },
    async handler({ caller, body }) {
      requireDeployment(caller, 'Checking the audit chain')
      const { ok, checked, head, brokenAt } = await verifyChain(storage, body.head)
      return { ok, checked, head, ...(brokenAt && { broken_at: brokenAt }) }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/activity',
    access,
    summary: 'List refusals and other events that change nothing',
    description: 'Counted by minute, code, route and network; newest minute first. Kept for 30 days.',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        ...Span,
        tenant: Type.Optional(Text),
        code: Type.Optional(Text),
        kind: Type.Optional(Text),
        credential: Type.Optional(Text),
      }),
      response: { 200: PageOf(ActivityBody) },
    },
    async handler({ caller, query }) {
      const limit = query.limit ?? DEFAULT_LIMIT
      const offset = decodeCursor('activity', 'number', query.cursor) ?? 0
      const filter = {
        ...within(caller, query.tenant),
        code: query.code,
        kind: query.kind,
        credential: query.credential,
        sinceMs: parseTime('/since', query.since),
        untilMs: parseTime('/until', query.until),
      }
      const rows = await listActivity(storage, filter, {
        offset: Math.min(Math.max(offset, 0), 100_000),
        limit: limit + 1,
      })
      const page = toPage('activity', rows, limit, () => offset + limit)
      return {
        data: page.data.map((row) => ({
          ...row,
          minute: rfc3339(row.minute * 60_000),
          tenant: row.tenant || null,
          credential: row.credential || null,
          first_at: rfc3339(row.first_at),
          last_at: rfc3339(row.last_at),
        })),
        next_cursor: page.nextCursor,
      }
    },
  })
}

/** A tenant operator sees that tenant alone; naming another finds nothing. */
function within(caller: Caller, named: string | undefined): { tenant?: string | undefined } {
  if (caller.tenant === null) return { tenant: named }
  return { tenant: named === undefined || named === caller.tenant ? caller.tenant : 'none' }
}
