/** The audit's and the activity's tables. */
import { sql } from 'kysely'
import type { EndStep, Storage, Transaction } from '../storage/index.ts'
import { type AuditEvent, chainHash, GENESIS } from './audit-event.ts'

interface AuditRow {
  seq: number
  id: string
  at: number
  tenant: string | null
  actor_type: string
  actor_id: string
  action: string
  target_type: string
  target_id: string
  data: string
  previous_hash: string
  hash: string
}

export interface ActivityRow {
  minute: number
  kind: string
  code: string
  route: string
  network: string
  tenant: string
  credential: string
  count: number
  first_at: number
  last_at: number
}

interface Tables {
  audit_head: { id: number; seq: number; hash: string }
  audit_events: AuditRow
  activity: ActivityRow
}

export interface ChainedEvent extends AuditEvent {
  readonly seq: number
  readonly previousHash: string
  readonly hash: string
}

export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

const LARGEST_INSERT = 500

/** Appends a group's events: one lock of the head, one insert. */
export const appendToChain: EndStep<AuditEvent> = {
  rank: 1,
  async flush(db, events, dialect) {
    const lock = db.selectFrom('audit_head').select(['seq', 'hash']).where('id', '=', 1)
    const head = (await (dialect === 'postgres' ? lock.forUpdate() : lock).executeTakeFirst()) as
      | ChainHead
      | undefined
    let { seq, hash } = head ?? { seq: 0, hash: GENESIS }
    const rows: AuditRow[] = events.map((event) => {
      seq++
      const previous = hash
      hash = chainHash(previous, seq, event)
      return { seq, ...toRow(event), previous_hash: previous, hash }
    })
    for (let at = 0; at < rows.length; at += LARGEST_INSERT)
      await db
        .insertInto('audit_events')
        .values(rows.slice(at, at + LARGEST_INSERT))
        .execute()
    if (head) await db.updateTable('audit_head').set({ seq, hash }).where('id', '=', 1).execute()
    else await db.insertInto('audit_head').values({ id: 1, seq, hash }).execute()
  },
}

/** Creates the head, so that the first events find a row to lock. */
export async function createChain(tx: Transaction): Promise<void> {
  await tx.over<Tables>().insertInto('audit_head').values({ id: 1, seq: 0, hash: GENESIS }).execute()
}

export async function readHead(storage: Storage): Promise<ChainHead> {
  const head = await storage
    .read<Tables>()
    .selectFrom('audit_head')
    .select(['seq', 'hash'])
    .executeTakeFirst()
  return head ?? { seq: 0, hash: GENESIS }
}

export interface AuditFilter {
  readonly tenant?: string | undefined
  readonly actor?: string | undefined
  readonly action?: string | undefined
  /** Any of these; at most some dozens. */
  readonly actions?: readonly string[] | undefined
  readonly target?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** Newest first, below `before` (exclusive). */
export async function listEvents(
  storage: Storage,
  filter: AuditFilter,
  page: { before?: number | undefined; limit: number },
): Promise<ChainedEvent[]> {
  if (filter.actions) return listEventsOf(storage, filter.actions, filter, page)
  let query = storage
    .scan<Tables>()
    .selectFrom('audit_events')
    .selectAll()
    .orderBy('seq', 'desc')
    .limit(page.limit)
  if (page.before !== undefined) query = query.where('seq', '<', page.before)
  if (filter.tenant !== undefined) query = query.where('tenant', '=', filter.tenant)
  if (filter.actor !== undefined) query = query.where('actor_id', '=', filter.actor)
  if (filter.action !== undefined) query = query.where('action', '=', filter.action)
  if (filter.target !== undefined) query = query.where('target_id', '=', filter.target)
  if (filter.sinceMs !== undefined) query = query.where('at', '>=', filter.sinceMs)
  if (filter.untilMs !== undefined) query = query.where('at', '<', filter.untilMs)
  return (await query.execute()).map(fromRow)
}

/** Each action is walked by its own index, and no more of it than the page can hold: most events are others. */
async function listEventsOf(
  storage: Storage,
  actions: readonly string[],
  filter: AuditFilter,
  page: { before?: number | undefined; limit: number },
): Promise<ChainedEvent[]> {
  const { actions: _, ...rest } = filter
  const lists = await Promise.all(
    [...new Set(actions)].map((action) => listEvents(storage, { ...rest, action }, page)),
  )
  return lists
    .flat()
    .sort((a, b) => b.seq - a.seq)
    .slice(0, page.limit)
}

export async function findEvent(storage: Storage, id: string): Promise<ChainedEvent | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('audit_events')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Oldest first, above `after`: what checking the chain walks over. */
export async function readChain(storage: Storage, after: number, limit: number): Promise<ChainedEvent[]> {
  const rows = await storage
    .scan<Tables>()
    .selectFrom('audit_events')
    .selectAll()
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(fromRow)
}

/** Adds counts to the rows of their minute. */
export async function addActivity(storage: Storage, rows: readonly ActivityRow[]): Promise<void> {
  await storage.write(async (tx) => {
    for (let at = 0; at < rows.length; at += LARGEST_INSERT)
      await tx
        .over<Tables>()
        .insertInto('activity')
        .values(rows.slice(at, at + LARGEST_INSERT))
        .onConflict((conflict) =>
          conflict
            .columns(['minute', 'kind', 'code', 'route', 'network', 'tenant', 'credential'])
            .doUpdateSet({
              count: sql`activity.count + excluded.count`,
              last_at: sql`CASE WHEN excluded.last_at > activity.last_at THEN excluded.last_at ELSE activity.last_at END`,
            }),
        )
        .execute()
  })
}

export interface ActivityFilter {
  readonly tenant?: string | undefined
  readonly code?: string | undefined
  readonly kind?: string | undefined
  readonly credential?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** Newest minute first; `skip` counts rows within `before`'s minute and later ones already seen. */
export async function listActivity(
  storage: Storage,
  filter: ActivityFilter,
  page: { offset: number; limit: number },
): Promise<ActivityRow[]> {
  let query = storage
    .scan<Tables>()
    .selectFrom('activity')
    .selectAll()
    .orderBy('minute', 'desc')
    .orderBy('count', 'desc')
    .orderBy('kind')
    .orderBy('code')
    .orderBy('route')
    .orderBy('network')
    .orderBy('tenant')
    .orderBy('credential')
    .offset(page.offset)
    .limit(page.limit)
  if (filter.tenant !== undefined) query = query.where('tenant', '=', filter.tenant)
  if (filter.code !== undefined) query = query.where('code', '=', filter.code)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.credential !== undefined) query = query.where('credential', '=', filter.credential)
  if (filter.sinceMs !== undefined) query = query.where('minute', '>=', Math.floor(filter.sinceMs / 60_000))
  if (filter.untilMs !== undefined) query = query.where('minute', '<', Math.ceil(filter.untilMs / 60_000))
  return query.execute()
}

/** Drops minutes before `minute`; answers how many rows went. */
export async function purgeActivity(storage: Storage, minute: number): Promise<number> {
  return storage.write(async (tx) => {
    const gone = await tx
      .over<Tables>()
      .deleteFrom('activity')
      .where('minute', '<', minute)
      .executeTakeFirst()
    return Number(gone.numDeletedRows)
  })
}

function toRow(event: AuditEvent): Omit<AuditRow, 'seq' | 'previous_hash' | 'hash'> {
  return {
    id: event.id,
    at: event.at,
    tenant: event.tenant,
    actor_type: event.actorType,
    actor_id: event.actorId,
    action: event.action,
    target_type: event.targetType,
    target_id: event.targetId,
    data: event.data,
  }
}

function fromRow(row: AuditRow): ChainedEvent {
  return {
    seq: row.seq,
    id: row.id,
    at: row.at,
    tenant: row.tenant,
    actorType: row.actor_type as ChainedEvent['actorType'],
    actorId: row.actor_id,
    action: row.action,
    targetType: row.target_type,
    targetId: row.target_id,
    data: row.data,
    previousHash: row.previous_hash,
    hash: row.hash,
  }
}
