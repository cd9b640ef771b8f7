/** /v1/usage */
import type { FastifyInstance, FastifyReply } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  declareRoute,
  Nullable,
  PageOf,
  PageQuery,
  parseTime,
  Rfc3339,
  ScopeName,
  sendJson,
} from '../http/index.ts'
import { type Clock, DENIALS, invalid, rfc3339 } from '../kernel/index.ts'
import type { ResourceUris } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import {
  type KeyUsage,
  listRotatedInUse,
  listUnusedKeys,
  MOST_ROWS,
  readKeyUsage,
  readUsage,
} from './read-usage.ts'
import { type Dimension, DIMENSIONS, type KeyOfUsage, type UsageRow } from './store.ts'
import { takeReport } from './take-report.ts'
import { GRAINS } from './usage-cell.ts'

export interface UsageRoutes {
  readonly storage: Storage
  readonly clock: Clock
  readonly uris: ResourceUris
}

const DAY_MS = 86_400_000
const Text = Type.String({ maxLength: 500, pattern: '^[^\\u0000]*$' })
const Result = Type.Enum(['valid', ...Object.keys(DENIALS)])
const Route = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000]+$' })

const UsageRowBody = Type.Object({
  start: Type.Optional(Rfc3339),
  credential: Type.Optional(Type.String()),
  client: Type.Optional(Type.String()),
  tenant: Type.Optional(Type.String()),
  resource: Type.Optional(Type.String()),
  route: Type.Optional(Type.String()),
  result: Type.Optional(Type.String()),
  count: Type.Integer(),
})

export const KeyUsageBody = Type.Object({
  key: Type.String(),
  requests: Type.Array(
    Type.Object({
      at: Rfc3339,
      route: Type.String(),
      address: Nullable(Type.String()),
      result: Type.String(),
    }),
    { description: 'The latest, newest first.' },
  ),
  scopes: Type.Array(
    Type.Object({
      scope: Type.String(),
      last_used_at: Nullable(Rfc3339),
    }),
    { description: 'All that the key has; null: never used.' },
  ),
})

const KeyBody = Type.Object({
  id: Type.String(),
  name: Type.String(),
  owner: Type.String(),
  tenant: Type.String(),
  last_used_at: Nullable(Rfc3339),
  last_used_network: Nullable(Type.String()),
  rotated_at: Nullable(Rfc3339),
  rotated_to: Nullable(Type.String()),
})

const access = { kind: 'management', scope: 'usage:read' } as const
const tags = ['Usage']

export function usageRoutes(server: FastifyInstance, { storage, clock, uris }: UsageRoutes): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/usage',
    access,
    summary: 'Count requests',
    description:
      'Grouped by any of `time credential client tenant resource route result`, divided by commas. With `time` in its order, otherwise the most first. An empty member is one that was not known.',
    tags,
    schema: {
      querystring: Type.Object({
        since: Type.Optional(Rfc3339),
        until: Type.Optional(Rfc3339),
        interval: Type.Optional(Type.Enum([...GRAINS], { description: '`hour` unless told.' })),
        group_by: Type.Optional(Type.String({ maxLength: 100 })),
        ...Object.fromEntries(DIMENSIONS.map((name) => [name, Type.Optional(Text)])),
        format: Type.Optional(Type.Enum(['json', 'ndjson', 'csv'])),
        limit: Type.Optional(
          Type.Integer({ minimum: 1, maximum: MOST_ROWS, description: '1000 unless told.' }),
        ),
      }),
      response: {
        200: {
          content: {
            'application/json': {
              schema: Type.Object({ data: Type.Array(UsageRowBody), truncated: Type.Boolean() }),
            },
            'application/x-ndjson': { schema: Type.String() },
            'text/csv': { schema: Type.String() },
          },
        },
      },
    },
    async handler({ caller, query }, reply) {
      const asked = query as Partial<Record<Dimension, string>> & {
        since?: string
        until?: string
        interval?: (typeof GRAINS)[number]
        group_by?: string
        format?: 'json' | 'ndjson' | 'csv'
        limit?: number
      }
      const words = (asked.group_by ?? 'time').split(',').filter((word) => word !== '')
      const unknown = words.find(
        (word) => word !== 'time' && !(DIMENSIONS as readonly string[]).includes(word),
      )
      if (unknown !== undefined) throw invalid('/group_by', `There is no "${unknown}" to group by.`)
      const groupBy = DIMENSIONS.filter((dimension) => words.includes(dimension))
      const nowMs = clock.nowMs()
      const limit = asked.limit ?? 1_000
      const dimensions = Object.fromEntries(DIMENSIONS.map((name) => [name, asked[name]]))
      const rows = await readUsage(storage, uris, caller, {
        ...dimensions,
        grain: asked.interval ?? 'hour',
        groupBy,
        byTime: words.includes('time'),
        sinceSeconds: Math.floor((parseTime('/since', asked.since) ?? nowMs - 7 * DAY_MS) / 1000),
        untilSeconds: Math.ceil((parseTime('/until', asked.until) ?? nowMs + 1_000) / 1000),
        limit: limit + 1,
      })
      const shown = rows.slice(0, limit).map(presentRow)
      return sendRows(reply, asked.format ?? 'json', words, shown, rows.length > limit)
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/usage/keys/:id',
    access,
    summary: 'What a key was used for',
    description: 'Its last requests, and which of its scopes it ever used.',
    tags,
    schema: {
      params: Type.Object({ id: Type.String({ maxLength: 200 }) }),
      response: { 200: KeyUsageBody },
    },
    handler: async ({ caller, params }) => presentKeyUsage(await readKeyUsage(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/usage/unused-keys',
    access,
    summary: 'Keys that nobody uses',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        since: Type.Optional(Rfc3339),
      }),
      response: { 200: PageOf(KeyBody) },
    },
    async handler({ caller, query }) {
      const nowMs = clock.nowMs()
      const sinceMs = parseTime('/since', query.since) ?? nowMs - 90 * DAY_MS
      const page = await listUnusedKeys(storage, caller, { sinceMs, nowMs }, query)
      return { data: page.data.map(presentKey), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/usage/rotated-keys',
    access,
    summary: 'Old keys that are still used after their rotation',
    tags,
    schema: { querystring: Type.Object(PageQuery), response: { 200: PageOf(KeyBody) } },
    async handler({ caller, query }) {
      const page = await listRotatedInUse(storage, caller, clock.nowMs(), query)
      return { data: page.data.map(presentKey), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/usage/reports',
    access: { kind: 'verifier' },
    summary: 'Report what was decided locally',
    description:
      'For verifiers. A report that is sent again under its id counts once, for a day. What the caller does not reach is ignored.',
    tags,
    schema: {
      body: Type.Object({
        id: Type.String({ pattern: '^[\\w-]{16,64}$', description: 'Random.' }),
        counts: Type.Array(
          Type.Object({
            minute: Rfc3339,
            credential: Text,
            client: Type.Optional(Text),
            tenant: Text,
            resource: Text,
            route: Route,
            result: Result,
            count: Type.Integer({ minimum: 1, maximum: 1_000_000_000 }),
          }),
          { maxItems: 500 },
        ),
        requests: Type.Optional(
          Type.Array(
            Type.Object({
              at: Rfc3339,
              credential: Text,
              route: Route,
              address: Type.Optional(Type.String({ maxLength: 45, pattern: '^[0-9A-Fa-f:.]*$' })),
              result: Result,
            }),
            { maxItems: 500 },
          ),
        ),
        scopes: Type.Optional(
          Type.Array(Type.Object({ at: Rfc3339, credential: Text, scope: ScopeName }), { maxItems: 500 }),
        ),
      }),
      response: { 200: Type.Object({ taken: Type.Boolean(), ignored: Type.Integer() }) },
    },
    async handler({ caller, body }) {
      const nowMs = clock.nowMs()
      const report = {
        id: body.id,
        counts: body.counts.map(({ minute, client = '', ...count }, index) => ({
          ...count,
          client,
          minute: Math.floor(parseTime(`/counts/${index}/minute`, minute) / 60_000),
        })),
        requests: (body.requests ?? []).map(({ at, address = '', ...request }, index) => ({
          ...request,
          address,
          atMs: Math.min(parseTime(`/requests/${index}/at`, at), nowMs),
        })),
        scopes: (body.scopes ?? []).map(({ at, ...scope }, index) => ({
          ...scope,
          atMs: Math.min(parseTime(`/scopes/${index}/at`, at), nowMs),
        })),
      }
      return takeReport(storage, uris, caller, report, nowMs)
    },
  })
}

type WireRow = Static<typeof UsageRowBody>

function presentRow({ start, count, ...row }: UsageRow): WireRow {
  return { ...(start !== undefined && { start: rfc3339(start * 1000) }), ...row, count }
}

function sendRows(
  reply: FastifyReply,
  format: 'json' | 'ndjson' | 'csv',
  words: readonly string[],
  rows: readonly WireRow[],
  truncated: boolean,
): FastifyReply {
  if (format === 'json') return sendJson(reply, JSON.stringify({ data: rows, truncated }))
  if (format === 'ndjson')
    return reply
      .header('content-type', 'application/x-ndjson; charset=utf-8')
      .send(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const columns = [...words.map((word) => (word === 'time' ? 'start' : word)), 'count'] as (keyof WireRow)[]
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column] ?? ''))]
  return reply
    .header('content-type', 'text/csv; charset=utf-8; header=present')
    .send(lines.map((line) => `${line.map(csvField).join(',')}\r\n`).join(''))
}

/** RFC 4180; what a spreadsheet would run as a formula gets an apostrophe in front. */
function csvField(field: string | number): string {
  const text = typeof field === 'string' && /^[=+\-@\t\r]/.test(field) ? `'${field}` : String(field)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function presentKeyUsage({ key, requests, scopes }: KeyUsage): Static<typeof KeyUsageBody> {
  return {
    key: key.id,
    requests: requests.map(({ atMs, route, address, result }) => ({
      at: rfc3339(atMs),
      route,
      address: address === '' ? null : address,
      result,
    })),
    scopes: scopes.map(({ scope, lastUsedAtMs }) => ({ scope, last_used_at: rfc3339(lastUsedAtMs) })),
  }
}

function presentKey(key: KeyOfUsage): Static<typeof KeyBody> {
  return {
    id: key.id,
    name: key.name,
    owner: key.owner,
    tenant: key.tenantId,
    last_used_at: rfc3339(key.lastUsedAtMs),
    last_used_network: key.lastUsedNetwork,
    rotated_at: rfc3339(key.rotatedAtMs),
    rotated_to: key.rotatedTo,
  }
}
