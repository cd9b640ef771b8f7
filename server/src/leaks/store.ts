/** The leaks' table. */
import type { Storage, Transaction } from '../storage/index.ts'
import type { Leak, LeakAction, ReporterKind } from './leak.ts'

interface LeakTable {
  id: string
  at: number
  tenant_id: string
  resource_id: string
  key_id: string
  reporter: string
  reported_by: string
  type: string
  source: string
  url: string
  place_hash: string
  action: string
}

interface Tables {
  leaks: LeakTable
}

export async function insertLeak(tx: Transaction, leak: Leak, placeHash: string): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('leaks')
    .values({
      id: leak.id,
      at: leak.atMs,
      tenant_id: leak.tenantId,
      resource_id: leak.resourceId,
      key_id: leak.keyId,
      reporter: leak.reporter,
      reported_by: leak.reportedBy,
      type: leak.type,
      source: leak.source,
      url: leak.url,
      place_hash: placeHash,
      action: leak.action,
    })
    .execute()
}

/** The places where a key was seen so far, at most `limit`, by digest. */
export async function selectPlaces(
  tx: Transaction,
  keyId: string,
  limit: number,
): Promise<{ id: string; placeHash: string }[]> {
  const rows = await tx
    .over<Tables>()
    .selectFrom('leaks')
    .select(['id', 'place_hash'])
    .where('key_id', '=', keyId)
    .limit(limit)
    .execute()
  return rows.map((row) => ({ id: row.id, placeHash: row.place_hash }))
}

export async function isReportedLeaked(tx: Transaction, keyId: string): Promise<boolean> {
  return (await selectPlaces(tx, keyId, 1)).length > 0
}

export interface LeakFilter {
  readonly tenantId?: string | undefined
  readonly keyId?: string | undefined
  readonly resourceId?: string | undefined
  /** Resources to stay within: the caller's. */
  readonly resourceIds?: readonly string[] | undefined
  readonly reporter?: string | undefined
}

/** Newest first, below `before` (exclusive). */
export async function selectLeaks(
  storage: Storage,
  filter: LeakFilter,
  page: { before?: string | undefined; limit: number },
): Promise<Leak[]> {
  let query = storage.scan<Tables>().selectFrom('leaks').selectAll().orderBy('id', 'desc').limit(page.limit)
  if (page.before !== undefined) query = query.where('id', '<', page.before)
  if (filter.tenantId !== undefined) query = query.where('tenant_id', '=', filter.tenantId)
  if (filter.keyId !== undefined) query = query.where('key_id', '=', filter.keyId)
  if (filter.resourceId !== undefined) query = query.where('resource_id', '=', filter.resourceId)
  if (filter.resourceIds !== undefined)
    query = query.where('resource_id', 'in', filter.resourceIds.length > 0 ? [...filter.resourceIds] : [''])
  if (filter.reporter !== undefined) query = query.where('reporter', '=', filter.reporter)
  return (await query.execute()).map(fromRow)
}

/** Leaks of keys that are no more, at most `limit`. */
export async function selectOrphans(storage: Storage, limit: number): Promise<string[]> {
  const rows = await storage
    .scan<Tables & { api_keys: { id: string } }>()
    .selectFrom('leaks')
    .leftJoin('api_keys', 'api_keys.id', 'leaks.key_id')
    .select('leaks.id as id')
    .where('api_keys.id', 'is', null)
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

export async function deleteLeaks(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.over<Tables>().deleteFrom('leaks').where('id', 'in', ids).execute()
}

function fromRow(row: LeakTable): Leak {
  return {
    id: row.id,
    atMs: row.at,
    tenantId: row.tenant_id,
    resourceId: row.resource_id,
    keyId: row.key_id,
    reporter: row.reporter as ReporterKind,
    reportedBy: row.reported_by,
    type: row.type,
    source: row.source,
    url: row.url,
    action: row.action as LeakAction,
  }
}
