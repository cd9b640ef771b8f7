/** The tables of usage. */
import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import type { Storage, Transaction } from '../storage/index.ts'
import type { Grain, RecentRequest, UsageCell, UsageCount, UsedScope } from './usage-cell.ts'

interface CountTable extends UsageCell {
  grain: string
  /** Unix seconds. */
  start: number
  count: number
}

interface KeyTable {
  id: string
  tenant_id: string
  resource_id: string
  owner: string
  name: string
  scopes: string
  created_at: number
  revoked_at: number | null
  expires_at: number | null
  rotated_at: number | null
  rotated_to: string | null
  last_used_at: number | null
  last_used_network: string | null
}

interface Tables {
  usage_counts: CountTable
  usage_requests: {
    credential: string
    seq: number
    at: number
    route: string
    address: string
    result: string
  }
  usage_scopes: { credential: string; scope: string; last_used: number }
  usage_reports: { id: string; at: number }
  api_keys: KeyTable
  resources: { id: string; uri: string }
}

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400

/** Into the minute and the hour: at most 500. Days are made of hours that get old. */
export async function addCounts(tx: Transaction, counts: readonly UsageCount[]): Promise<void> {
  const rows = new Map<string, CountTable>()
  for (const { minute, count, ...cell } of counts)
    for (const grain of ['minute', 'hour'] as const) {
      const second = minute * 60
      const start = grain === 'minute' ? second : second - (second % HOUR_SECONDS)
      const name = JSON.stringify([grain, start, Object.values(cell)])
      const row = rows.get(name)
      if (row) row.count += count
      else rows.set(name, { grain, start, ...cell, count })
    }
  if (rows.size === 0) return
  // In one order: two nodes that count the same do not wait for each other in a circle.
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
  await tx
    .over<Tables>()
    .insertInto('usage_counts')
    .values(sorted)
    .onConflict((conflict) =>
      conflict
        .columns(['grain', 'start', 'credential', 'route', 'result', 'tenant', 'resource', 'client'])
        .doUpdateSet({ count: sql`usage_counts.count + excluded.count` }),
    )
    .execute()
}

let nextOfMs = 0

/** The ring of each key: what is older than its `ring` latest goes. */
export async function addRequests(
  tx: Transaction,
  requests: readonly RecentRequest[],
  ring: number,
): Promise<void> {
  if (requests.length === 0) return
  const db = tx.over<Tables>()
  // The time with a number behind it: in the order of time, and two of one millisecond stay two.
  const rows = requests.map(({ credential, atMs, route, address, result }) => ({
    credential,
    seq: atMs * 1_000 + (nextOfMs++ % 1_000),
    at: atMs,
    route,
    address,
    result,
  }))
  await db
    .insertInto('usage_requests')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const ids = sql.join([...new Set(requests.map(({ credential }) => credential))])
  await sql`
    DELETE FROM usage_requests WHERE (credential, seq) IN (
      SELECT credential, seq FROM (
        SELECT credential, seq, ROW_NUMBER() OVER (PARTITION BY credential ORDER BY seq DESC) AS place
        FROM usage_requests WHERE credential IN (${ids})) AS ranked
      WHERE place > ${ring})`.execute(db)
}

export async function addScopes(tx: Transaction, scopes: readonly UsedScope[]): Promise<void> {
  if (scopes.length === 0) return
  const latest = new Map(scopes.map((used) => [`${used.credential} ${used.scope}`, used]))
  await tx
    .over<Tables>()
    .insertInto('usage_scopes')
    .values(
      [...latest.values()].map(({ credential, scope, atMs }) => ({ credential, scope, last_used: atMs })),
    )
    .onConflict((conflict) =>
      conflict.columns(['credential', 'scope']).doUpdateSet({ last_used: sql`excluded.last_used` }),
    )
    .execute()
}

/** False when this report was taken before. */
export async function insertReport(tx: Transaction, id: string, nowMs: number): Promise<boolean> {
  const inserted = await tx
    .over<Tables>()
    .insertInto('usage_reports')
    .values({ id, at: nowMs })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .execute()
  return inserted.length > 0
}

/** Which of these keys there are, and whose. */
export async function selectKeyOwners(
  storage: Storage,
  ids: readonly string[],
): Promise<{ id: string; tenantId: string; resource: string }[]> {
  if (ids.length === 0) return []
  return storage
    .read<Tables>()
    .selectFrom('api_keys as k')
    .innerJoin('resources as r', 'r.id', 'k.resource_id')
    .select(['k.id', 'k.tenant_id as tenantId', 'r.uri as resource'])
    .where('k.id', 'in', [...ids])
    .execute()
}

export const DIMENSIONS = ['credential', 'client', 'tenant', 'resource', 'route', 'result'] as const
export type Dimension = (typeof DIMENSIONS)[number]

export interface UsageFilter extends Partial<Record<Dimension, string | undefined>> {
  readonly sinceSeconds: number
  readonly untilSeconds: number
  /** What the caller reaches; undefined: all. */
  readonly withinTenant?: string | undefined
  readonly withinResources?: readonly string[] | undefined
}

export interface UsageRow extends Partial<UsageCell> {
  readonly start?: number
  readonly count: number
}

/** Grouped by some of the dimensions, and by time when it is wanted; with time in its order, else the most first. */
export async function selectUsage(
  storage: Storage,
  grain: Grain,
  groupBy: readonly Dimension[],
  byTime: boolean,
  filter: UsageFilter,
  limit: number,
): Promise<UsageRow[]> {
  const db = storage.scan<Tables>()
  const start = grain === 'day' ? sql<number>`start - (start % ${sql.lit(DAY_SECONDS)})` : sql<number>`start`
  let query = db
    .selectFrom('usage_counts')
    .select(sql<number>`SUM(count)`.as('count'))
    .where((where) => within(where, grain, filter))
    .limit(limit)
  for (const dimension of groupBy) query = query.select(dimension).groupBy(dimension)
  query = byTime
    ? query.select(start.as('start')).groupBy(start).orderBy(start)
    : query.orderBy(sql`SUM(count)`, 'desc')
  for (const dimension of groupBy) query = query.orderBy(dimension)
  return (await query.execute()).map((row) => ({
    ...(row as unknown as UsageRow),
    count: Number(row.count),
    ...('start' in row && { start: Number(row.start) }),
  }))
}

function within(
  where: ExpressionBuilder<Tables, 'usage_counts'>,
  grain: Grain,
  { sinceSeconds, untilSeconds, withinTenant, withinResources, ...dimensions }: UsageFilter,
) {
  const parts = [
    // Hours that are old have become days: the two hold different times.
    grain === 'minute'
      ? where('grain', '=', 'minute')
      : grain === 'hour'
        ? where('grain', '=', 'hour')
        : where('grain', 'in', ['hour', 'day']),
    where('start', '>=', sinceSeconds),
    where('start', '<', untilSeconds),
  ]
  if (withinTenant !== undefined) parts.push(where('tenant', '=', withinTenant))
  if (withinResources !== undefined) parts.push(where('resource', 'in', [...withinResources, '\u0001']))
  for (const [dimension, value] of Object.entries(dimensions))
    if (value !== undefined) parts.push(where(dimension as Dimension, '=', value))
  return where.and(parts)
}

export async function selectRequests(storage: Storage, credential: string): Promise<RecentRequest[]> {
  return storage
    .scan<Tables>()
    .selectFrom('usage_requests')
    .select(['credential', 'at as atMs', 'route', 'address', 'result'])
    .where('credential', '=', credential)
    .orderBy('seq', 'desc')
    .execute()
}

export async function selectScopes(storage: Storage, credential: string): Promise<UsedScope[]> {
  return storage
    .scan<Tables>()
    .selectFrom('usage_scopes')
    .select(['credential', 'scope', 'last_used as atMs'])
    .where('credential', '=', credential)
    .orderBy('scope')
    .execute()
}

export interface KeyOfUsage {
  readonly id: string
  readonly tenantId: string
  readonly resourceId: string
  readonly owner: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly lastUsedAtMs: number | null
  readonly lastUsedNetwork: string | null
  readonly rotatedAtMs: number | null
  readonly rotatedTo: string | null
}

export interface KeyReach {
  readonly tenant: string | null
  readonly resources: readonly string[] | null
}

export async function selectKey(storage: Storage, id: string): Promise<KeyOfUsage | undefined> {
  const row = await keys(storage.read<Tables>()).where('id', '=', id).executeTakeFirst()
  return row && keyOf(row)
}

/** Living keys that were not used since then, made before then, in the order of their ids. */
export async function selectUnusedKeys(
  storage: Storage,
  reach: KeyReach,
  sinceMs: number,
  nowMs: number,
  after: string | undefined,
  limit: number,
): Promise<KeyOfUsage[]> {
  let query = reached(living(keys(storage.scan<Tables>()), nowMs), reach)
    .where('created_at', '<', sinceMs)
    .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', sinceMs)]))
    .orderBy('id')
    .limit(limit)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(keyOf)
}

/** Living keys that were rotated, and were used after that. */
export async function selectRotatedInUse(
  storage: Storage,
  reach: KeyReach,
  nowMs: number,
  after: string | undefined,
  limit: number,
): Promise<KeyOfUsage[]> {
  let query = reached(living(keys(storage.scan<Tables>()), nowMs), reach)
    .where('rotated_at', 'is not', null)
    .whereRef('last_used_at', '>', 'rotated_at')
    .orderBy('id')
    .limit(limit)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(keyOf)
}

function keys(db: Kysely<Tables>) {
  return db.selectFrom('api_keys').selectAll()
}

type Keys = ReturnType<typeof keys>

function living(query: Keys, nowMs: number): Keys {
  return query
    .where('revoked_at', 'is', null)
    .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', nowMs)]))
}

function reached(query: Keys, { tenant, resources }: KeyReach): Keys {
  let within = query
  if (tenant !== null) within = within.where('tenant_id', '=', tenant)
  if (resources !== null) within = within.where('resource_id', 'in', [...resources, ''])
  return within
}

function keyOf(row: KeyTable): KeyOfUsage {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    resourceId: row.resource_id,
    owner: row.owner,
    name: row.name,
    scopes: JSON.parse(row.scopes) as string[],
    lastUsedAtMs: row.last_used_at,
    lastUsedNetwork: row.last_used_network,
    rotatedAtMs: row.rotated_at,
    rotatedTo: row.rotated_to,
  }
}

/** Old hours become days, in one transaction with their going, and old minutes and days go. Whole days at a time. */
export async function rollUp(
  tx: Transaction,
  before: { readonly minutes: number; readonly hours: number; readonly days: number },
): Promise<void> {
  const db = tx.over<Tables>()
  await db
    .deleteFrom('usage_counts')
    .where('grain', '=', 'minute')
    .where('start', '<', before.minutes)
    .execute()
  const oldest = await db
    .selectFrom('usage_counts')
    .select('start')
    .where('grain', '=', 'hour')
    .where('start', '<', before.hours)
    .orderBy('start')
    .limit(1)
    .executeTakeFirst()
  if (oldest) {
    const from = oldest.start - (oldest.start % DAY_SECONDS)
    const to = from + DAY_SECONDS
    await sql`
      INSERT INTO usage_counts (grain, start, credential, route, result, tenant, resource, client, count)
      SELECT 'day', ${sql.lit(from)}, credential, route, result, tenant, resource, client, SUM(count)
      FROM usage_counts WHERE grain = 'hour' AND start >= ${from} AND start < ${to}
      GROUP BY credential, route, result, tenant, resource, client
      ON CONFLICT (grain, start, credential, route, result, tenant, resource, client)
      DO UPDATE SET count = usage_counts.count + excluded.count`.execute(db)
    await db
      .deleteFrom('usage_counts')
      .where('grain', '=', 'hour')
      .where('start', '>=', from)
      .where('start', '<', to)
      .execute()
  }
  await db.deleteFrom('usage_counts').where('grain', '=', 'day').where('start', '<', before.days).execute()
}

export async function purgeReports(tx: Transaction, beforeMs: number): Promise<void> {
  await tx.over<Tables>().deleteFrom('usage_reports').where('at', '<', beforeMs).execute()
}
