/** The webhooks' tables. */
import type { Kysely } from 'kysely'
import { forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { Delivery, DeliveryState, Endpoint, EndpointSecret } from './endpoint.ts'

interface EndpointTable {
  id: string
  tenant_id: string | null
  name: string
  url: string
  events: string | null
  secrets: string
  created_at: number
  created_by: string
  updated_at: number
  disabled_at: number | null
  disabled_reason: string | null
  failing_since: number | null
  dropped: number
}

interface DeliveryTable {
  id: string
  endpoint_id: string
  event_id: string
  type: string
  payload: string
  created_at: number
  state: string
  attempts: number
  next_at: number
  last_at: number | null
  last_status: number | null
  last_error: string | null
}

interface WebhookTables {
  webhook_endpoints: EndpointTable
  webhook_deliveries: DeliveryTable
}

/** In a transaction or beside one. */
export type WebhookDb = Kysely<WebhookTables>

const LARGEST_INSERT = 250

export async function insertEndpoint(tx: Transaction, endpoint: Endpoint): Promise<void> {
  await tx.over<WebhookTables>().insertInto('webhook_endpoints').values(toRow(endpoint)).execute()
}

export async function saveEndpoint(tx: Transaction, endpoint: Endpoint): Promise<void> {
  // Deliveries count on beside it: what they note is not written back.
  const { id, dropped: _, ...rest } = toRow(endpoint)
  await tx.over<WebhookTables>().updateTable('webhook_endpoints').set(rest).where('id', '=', id).execute()
}

export async function deleteEndpoint(tx: Transaction, id: string): Promise<void> {
  const db = tx.over<WebhookTables>()
  await db.deleteFrom('webhook_deliveries').where('endpoint_id', '=', id).execute()
  await db.deleteFrom('webhook_endpoints').where('id', '=', id).execute()
}

export async function lockEndpoint(tx: Transaction, id: string): Promise<Endpoint | undefined> {
  const query = tx.over<WebhookTables>().selectFrom('webhook_endpoints').selectAll().where('id', '=', id)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && endpointFromRow(row)
}

export async function findEndpoint(storage: Storage, id: string): Promise<Endpoint | undefined> {
  const query = storage.read<WebhookTables>().selectFrom('webhook_endpoints').selectAll()
  const row = await query.where('id', '=', id).executeTakeFirst()
  return row && endpointFromRow(row)
}

export async function countEndpoints(tx: Transaction, tenantId: string | null): Promise<number> {
  const { count } = await tx
    .over<WebhookTables>()
    .selectFrom('webhook_endpoints')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('tenant_id', tenantId === null ? 'is' : '=', tenantId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** In the order of ids, above `after`; of one tenant where it is given. */
export async function selectEndpoints(
  storage: Storage,
  tenantId: string | undefined,
  after: string | undefined,
  limit: number,
): Promise<Endpoint[]> {
  let query = storage
    .scan<WebhookTables>()
    .selectFrom('webhook_endpoints')
    .selectAll()
    .orderBy('id')
    .limit(limit)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(endpointFromRow)
}

export async function selectAllSecrets(
  tx: Transaction,
): Promise<{ id: string; secrets: readonly EndpointSecret[] }[]> {
  const rows = await tx
    .over<WebhookTables>()
    .selectFrom('webhook_endpoints')
    .select(['id', 'secrets'])
    .orderBy('id')
    .execute()
  return rows.map(({ id, secrets }) => ({ id, secrets: JSON.parse(secrets) as EndpointSecret[] }))
}

export async function updateSecrets(
  tx: Transaction,
  id: string,
  secrets: readonly EndpointSecret[],
): Promise<void> {
  await tx
    .over<WebhookTables>()
    .updateTable('webhook_endpoints')
    .set({ secrets: JSON.stringify(secrets) })
    .where('id', '=', id)
    .execute()
}

/** Endpoints that want to be told of something in these tenants: theirs, and the deployment's own. */
export async function selectListeners(
  db: WebhookDb,
  tenants: readonly string[],
): Promise<{ id: string; tenantId: string | null; events: readonly string[] | null }[]> {
  const rows = await db
    .selectFrom('webhook_endpoints')
    .select(['id', 'tenant_id', 'events'])
    .where('disabled_at', 'is', null)
    .where(({ or, eb }) =>
      or([eb('tenant_id', 'is', null), ...(tenants.length > 0 ? [eb('tenant_id', 'in', tenants)] : [])]),
    )
    .orderBy('id')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    tenantId: row.tenant_id,
    events: row.events === null ? null : (JSON.parse(row.events) as string[]),
  }))
}

/** How many wait for an endpoint, counted no further than `limit`. */
export async function countPending(db: WebhookDb, endpointId: string, limit: number): Promise<number> {
  const rows = db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('endpoint_id', '=', endpointId)
    .where('state', '=', 'pending')
    .limit(limit)
    .as('waiting')
  const { count } = await db
    .selectFrom(rows)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function addDropped(db: WebhookDb, endpointId: string, count: number): Promise<void> {
  await db
    .updateTable('webhook_endpoints')
    .set(({ eb }) => ({ dropped: eb('dropped', '+', count) }))
    .where('id', '=', endpointId)
    .execute()
}

export async function insertDeliveries(db: WebhookDb, deliveries: readonly Delivery[]): Promise<void> {
  for (let at = 0; at < deliveries.length; at += LARGEST_INSERT)
    await db
      .insertInto('webhook_deliveries')
      .values(deliveries.slice(at, at + LARGEST_INSERT).map(deliveryRow))
      .execute()
}

/** Endpoints that are enabled and have something due, the longest waiting first. */
export async function selectDueEndpoints(
  storage: Storage,
  nowMs: number,
  limit: number,
): Promise<Endpoint[]> {
  const rows = await storage
    .scan<WebhookTables>()
    .selectFrom('webhook_endpoints as e')
    .innerJoin(
      (db) =>
        db
          .selectFrom('webhook_deliveries')
          .select(({ fn }) => ['endpoint_id', fn.min('next_at').as('since')])
          .where('state', '=', 'pending')
          .where('next_at', '<=', nowMs)
          .groupBy('endpoint_id')
          .as('due'),
      (join) => join.onRef('due.endpoint_id', '=', 'e.id'),
    )
    .selectAll('e')
    .where('e.disabled_at', 'is', null)
    .orderBy('due.since')
    .limit(limit)
    .execute()
  return rows.map(endpointFromRow)
}

/**
 * Takes up to `limit` due deliveries of an endpoint: until `leaseUntilMs` nobody else takes them, whichever node it is.
 * The number of the attempt names the lease.
 */
export async function claimDeliveries(
  tx: Transaction,
  endpointId: string,
  { nowMs, leaseUntilMs, limit }: { nowMs: number; leaseUntilMs: number; limit: number },
): Promise<Delivery[]> {
  const db = tx.over<WebhookTables>()
  const due = db
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('endpoint_id', '=', endpointId)
    .where('state', '=', 'pending')
    .where('next_at', '<=', nowMs)
    .orderBy('next_at')
    .orderBy('id')
    .limit(limit)
  // Another node is just taking those that are locked.
  const rows = await (tx.dialect === 'postgres' ? due.forUpdate().skipLocked() : due).execute()
  const claimed: Delivery[] = []
  for (const row of rows) {
    const attempts = row.attempts + 1
    await db
      .updateTable('webhook_deliveries')
      .set({ attempts, next_at: leaseUntilMs, last_at: nowMs })
      .where('id', '=', row.id)
      .execute()
    claimed.push({ ...deliveryFromRow(row), attempts })
  }
  return claimed
}

export interface Attempted {
  readonly state: DeliveryState
  readonly nextAtMs: number
  readonly status: number | null
  readonly error: string | null
}

/** False when the lease had run out and somebody else took it. */
export async function noteAttempt(
  tx: Transaction,
  { id, attempts }: Delivery,
  attempted: Attempted,
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .over<WebhookTables>()
    .updateTable('webhook_deliveries')
    .set({
      state: attempted.state,
      next_at: attempted.nextAtMs,
      last_status: attempted.status,
      last_error: attempted.error,
    })
    .where('id', '=', id)
    .where('attempts', '=', attempts)
    .where('state', '=', 'pending')
    .executeTakeFirst()
  return Number(numUpdatedRows) > 0
}

/** The first failure since a success; null after one. Says since when it fails. */
export async function noteFailing(tx: Transaction, id: string, nowMs: number | null): Promise<void> {
  const query = tx.over<WebhookTables>().updateTable('webhook_endpoints').set({ failing_since: nowMs })
  await (
    nowMs === null
      ? query.where('id', '=', id).where('failing_since', 'is not', null)
      : query.where('id', '=', id).where('failing_since', 'is', null)
  ).execute()
}

export interface DeliveryFilter {
  readonly endpointId: string
  readonly state?: string | undefined
  readonly type?: string | undefined
}

/** Newest first, below `before` (exclusive). */
export async function selectDeliveries(
  storage: Storage,
  { endpointId, state, type }: DeliveryFilter,
  page: { before?: string | undefined; limit: number },
): Promise<Delivery[]> {
  let query = storage
    .scan<WebhookTables>()
    .selectFrom('webhook_deliveries')
    .selectAll()
    .where('endpoint_id', '=', endpointId)
    .orderBy('id', 'desc')
    .limit(page.limit)
  if (page.before !== undefined) query = query.where('id', '<', page.before)
  if (state !== undefined) query = query.where('state', '=', state)
  if (type !== undefined) query = query.where('type', '=', type)
  return (await query.execute()).map(deliveryFromRow)
}

export interface ReplayFilter {
  readonly deliveryId?: string | undefined
  readonly states: readonly DeliveryState[]
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** Puts them back into the queue, as new; answers how many. */
export async function requeue(
  tx: Transaction,
  endpointId: string,
  { deliveryId, states, sinceMs, untilMs }: ReplayFilter,
  nowMs: number,
  limit: number,
): Promise<number> {
  const db = tx.over<WebhookTables>()
  let found = db
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('endpoint_id', '=', endpointId)
    .where('state', 'in', states)
    .orderBy('id')
    .limit(limit)
  if (deliveryId !== undefined) found = found.where('id', '=', deliveryId)
  if (sinceMs !== undefined) found = found.where('created_at', '>=', sinceMs)
  if (untilMs !== undefined) found = found.where('created_at', '<', untilMs)
  const ids = (await found.execute()).map(({ id }) => id)
  for (let at = 0; at < ids.length; at += 1_000)
    await db
      .updateTable('webhook_deliveries')
      .set({ state: 'pending', attempts: 0, next_at: nowMs })
      .where('id', 'in', ids.slice(at, at + 1_000))
      .execute()
  return ids.length
}

/** The oldest that were made before then, finished or not: ids are in the order of their making. */
export async function selectOldDeliveries(
  storage: Storage,
  beforeMs: number,
  limit: number,
): Promise<string[]> {
  const rows = await storage
    .scan<WebhookTables>()
    .selectFrom('webhook_deliveries')
    .select(['id', 'created_at'])
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.filter((row) => row.created_at < beforeMs).map(({ id }) => id)
}

/** What is finished beyond the newest `keep` of an endpoint. */
export async function selectBeyond(
  storage: Storage,
  endpointId: string,
  keep: number,
  limit: number,
): Promise<string[]> {
  const rows = await storage
    .scan<WebhookTables>()
    .selectFrom('webhook_deliveries')
    .select('id')
    .where('endpoint_id', '=', endpointId)
    .where('state', '!=', 'pending')
    .orderBy('id', 'desc')
    .offset(keep)
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

export async function deleteDeliveries(tx: Transaction, ids: readonly string[]): Promise<void> {
  await tx.over<WebhookTables>().deleteFrom('webhook_deliveries').where('id', 'in', ids).execute()
}

export async function selectEndpointIds(storage: Storage): Promise<string[]> {
  const rows = await storage.scan<WebhookTables>().selectFrom('webhook_endpoints').select('id').execute()
  return rows.map(({ id }) => id)
}

function toRow(endpoint: Endpoint): EndpointTable {
  return {
    id: endpoint.id,
    tenant_id: endpoint.tenantId,
    name: endpoint.name,
    url: endpoint.url,
    events: endpoint.events && JSON.stringify(endpoint.events),
    secrets: JSON.stringify(endpoint.secrets),
    created_at: endpoint.createdAtMs,
    created_by: endpoint.createdBy,
    updated_at: endpoint.updatedAtMs,
    disabled_at: endpoint.disabledAtMs,
    disabled_reason: endpoint.disabledReason,
    failing_since: endpoint.failingSinceMs,
    dropped: endpoint.dropped,
  }
}

export function endpointFromRow(row: EndpointTable): Endpoint {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    url: row.url,
    events: row.events === null ? null : (JSON.parse(row.events) as Endpoint['events']),
    secrets: JSON.parse(row.secrets) as EndpointSecret[],
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    updatedAtMs: row.updated_at,
    disabledAtMs: row.disabled_at,
    disabledReason: row.disabled_reason,
    failingSinceMs: row.failing_since,
    dropped: row.dropped,
  }
}

function deliveryRow(delivery: Delivery): DeliveryTable {
  return {
    id: delivery.id,
    endpoint_id: delivery.endpointId,
    event_id: delivery.eventId,
    type: delivery.type,
    payload: delivery.payload,
    created_at: delivery.createdAtMs,
    state: delivery.state,
    attempts: delivery.attempts,
    next_at: delivery.nextAtMs,
    last_at: delivery.lastAtMs,
    last_status: delivery.lastStatus,
    last_error: delivery.lastError,
  }
}

function deliveryFromRow(row: DeliveryTable): Delivery {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    type: row.type,
    payload: row.payload,
    createdAtMs: row.created_at,
    state: row.state as DeliveryState,
    attempts: row.attempts,
    nextAtMs: row.next_at,
    lastAtMs: row.last_at,
    lastStatus: row.last_status,
    lastError: row.last_error,
  }
}
