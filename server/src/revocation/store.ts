/** The feed's tables. */
import { type Kysely, sql } from 'kysely'
import { type Dialect, type EndStep, HINT_CHANNEL, type Transaction } from '../storage/index.ts'
import { type FeedEffect, type FeedKind, type FeedRow, isLevel } from './feed-row.ts'
import type { Published } from './publish-change.ts'

interface RowTable {
  seq: number
  epoch: string
  tenant: string | null
  kind: string
  key: string
  effect: string
  at: number
  drop_after: number
  reason: string | null
  actor: string
}

/** For joins: a credential is dead under a floor above its own `rsn`. */
export interface FloorTable {
  kind: string
  key: string
  seq: number
}

interface HeadTable {
  id: number
  seq: number
  epoch: string
  resume_floor: number
  timeline: string | null
}

interface Tables {
  feed_head: HeadTable
  feed_rows: RowTable
  feed_floors: FloorTable
  token_lifetimes: { source: string; seconds: number; since: number; until: number | null }
}

export interface FeedHead {
  readonly seq: number
  readonly epoch: string
  readonly resumeFloor: number
}

const DAY_MS = 86_400_000
const MARGIN_MS = 120_000
const LARGEST_INSERT = 500

/** Takes the counter (the last lock before COMMIT), writes the rows and the floors they raise. */
export async function appendRows(
  db: Kysely<Tables>,
  dialect: Dialect,
  changes: readonly Published[],
  nowMs: number,
): Promise<void> {
  const longestTokenMs = (await longestTokenSeconds(db as Kysely<unknown>, nowMs)) * 1000
  // max(seq + 1, now in µs): a database restored from a copy does not hand out its numbers again.
  const first =
    dialect === 'postgres'
      ? sql`GREATEST(seq + 1, ${nowMs * 1000}::bigint)`
      : sql`MAX(seq + 1, ${nowMs * 1000})`
  const head = await db
    .updateTable('feed_head')
    .set({ seq: sql<number>`${first} + ${sql.lit(changes.length - 1)}` })
    .where('id', '=', 1)
    .returning(['seq', 'epoch'])
    .executeTakeFirstOrThrow()

  const rows = changes.map((change, index): RowTable => {
    change.seq = head.seq - changes.length + 1 + index
    return {
      seq: change.seq,
      epoch: head.epoch,
      tenant: change.tenant,
      kind: change.kind,
      key: change.key,
      effect: change.effect,
      at: change.at,
      drop_after: nowMs + keepMs(change, longestTokenMs),
      reason: change.reason ?? null,
      actor: change.actor,
    }
  })
  for (let at = 0; at < rows.length; at += LARGEST_INSERT)
    await db
      .insertInto('feed_rows')
      .values(rows.slice(at, at + LARGEST_INSERT))
      .execute()
  for (const row of rows) if (raisesFloor(row)) await raiseFloor(db, row)
  if (dialect === 'postgres') await sql`SELECT pg_notify(${HINT_CHANNEL}, '')`.execute(db)
}

/** Rows about long-lived things stay a day, so that a verifier that slept overnight still hears of them. */
function keepMs({ kind, effect }: Published, longestTokenMs: number): number {
  const longLived = effect !== 'revoked' || kind === 'api_key' || kind === 'session' || kind === 'grant'
  return Math.max(longestTokenMs + MARGIN_MS, longLived ? DAY_MS : 0)
}

function raisesFloor({ kind, effect }: RowTable): boolean {
  return effect === 'deleted' || (effect === 'revoked' && isLevel(kind as FeedKind))
}

async function raiseFloor(db: Kysely<Tables>, { kind, key, seq }: RowTable): Promise<void> {
  await db
    .insertInto('feed_floors')
    .values({ kind, key, seq })
    .onConflict((conflict) => conflict.columns(['kind', 'key']).doUpdateSet({ seq }))
    .execute()
}

/** The head: one point read, on the primary. */
export async function readFeedHead(db: Kysely<unknown>): Promise<FeedHead> {
  const row = await (db as Kysely<Tables>)
    .selectFrom('feed_head')
    .select(['seq', 'epoch', 'resume_floor as resumeFloor'])
    .where('id', '=', 1)
    .executeTakeFirst()
  if (!row) throw new Error('The feed has no head: the database was not set up.')
  return row
}

export interface PrimaryHead extends FeedHead {
  /** The Postgres timeline that was noted; null: none yet. */
  readonly timeline: string | null
  /** The one that is written now; null where it cannot be told. */
  readonly timelineNow: string | null
}

/** On a standby the function fails, and so does the reading: what it says is not the primary's word. */
const TIMELINE_NOW = sql<string | null>`substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)`
const UNTOLD = sql<string | null>`NULL`

/** The head, and on which server's word. `tellsTimeline` is false on SQLite, and where the database will not say. */
export async function readPrimaryHead(db: Kysely<unknown>, tellsTimeline: boolean): Promise<PrimaryHead> {
  const row = await (db as Kysely<Tables>)
    .selectFrom('feed_head')
    .select(['seq', 'epoch', 'resume_floor as resumeFloor', 'timeline'])
    .select((tellsTimeline ? TIMELINE_NOW : UNTOLD).as('timelineNow'))
    .where('id', '=', 1)
    .executeTakeFirst()
  if (!row) throw new Error('The feed has no head: the database was not set up.')
  return row
}

/**
 * The next rows above `after`, in order, or undefined when some of those have been purged: they and the floor are read as
 * of one moment, so that no purge falls between the two.
 */
export async function readRows(
  db: Kysely<unknown>,
  after: number,
  limit: number,
): Promise<FeedRow[] | undefined> {
  const rows = await (db as Kysely<Tables>)
    .selectFrom('feed_rows')
    .select(['seq', 'epoch', 'tenant', 'kind', 'key', 'effect', 'at', 'drop_after as dropAfter'])
    .select((eb) => eb.selectFrom('feed_head').select('resume_floor').where('id', '=', 1).as('floor'))
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  const floor = rows[0]?.floor ?? (await readFeedHead(db)).resumeFloor
  return after < floor ? undefined : rows.map(rowFrom)
}

/** Rows in (`after`, `upTo`] that are still in force, in order. */
export async function readRowsInForce(
  db: Kysely<unknown>,
  { after, upTo, nowMs, limit }: { after: number; upTo: number; nowMs: number; limit: number },
): Promise<FeedRow[]> {
  const rows = await (db as Kysely<Tables>)
    .selectFrom('feed_rows')
    .select(['seq', 'epoch', 'tenant', 'kind', 'key', 'effect', 'at', 'drop_after as dropAfter'])
    .where('seq', '>', after)
    .where('seq', '<=', upTo)
    .where('drop_after', '>', nowMs)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map(rowFrom)
}

function rowFrom(row: Omit<RowTable, 'drop_after' | 'reason' | 'actor'> & { dropAfter: number }): FeedRow {
  const { seq, epoch, tenant, key, at, dropAfter } = row
  return {
    seq,
    epoch,
    tenant,
    kind: row.kind as FeedKind,
    key,
    effect: row.effect as FeedEffect,
    at,
    dropAfter,
  }
}

export async function createFeed(tx: Transaction, epoch: string, nowMs: number): Promise<void> {
  const seq = nowMs * 1000
  await tx
    .over<Tables>()
    .insertInto('feed_head')
    .values({ id: 1, seq, epoch, resume_floor: seq, timeline: null })
    .execute()
}

/** For a decision about the feed as a whole: whoever else is about to make it waits. SQLite's writer sees to that itself. */
export async function lockFeedHead(tx: Transaction): Promise<{ seq: number; timeline: string | null }> {
  const db = tx.over<Tables>()
  if (tx.dialect === 'postgres') await sql`SELECT pg_advisory_xact_lock(7266841)`.execute(db)
  return db.selectFrom('feed_head').select(['seq', 'timeline']).where('id', '=', 1).executeTakeFirstOrThrow()
}

export interface NewEpoch {
  readonly epoch: string
  readonly timeline: string | null
  /** The counter goes on from here at least. */
  readonly atLeast: number
}

/** At the end of the transaction, for it locks the head; before the rows that the same transaction writes. */
export function beginEpoch(tx: Transaction, begun: NewEpoch): void {
  tx.atEnd(startEpoch, begun)
}

const startEpoch: EndStep<NewEpoch> = {
  rank: 1.5,
  async flush(db, items) {
    for (const { epoch, timeline, atLeast } of items)
      await (db as Kysely<Tables>)
        .updateTable('feed_head')
        .set({ epoch, timeline, seq: sql<number>`CASE WHEN seq < ${atLeast} THEN ${atLeast} ELSE seq END` })
        .where('id', '=', 1)
        .execute()
  },
}

/** The first time that a deployment is told which timeline it is on: nothing begins anew. */
export async function noteTimeline(tx: Transaction, timeline: string): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('feed_head')
    .set({ timeline })
    .where('id', '=', 1)
    .where('timeline', 'is', null)
    .execute()
}

/** Deletes at most `limit` rows whose time is over and raises the resume floor over them, in one transaction. */
export async function purgeRows(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const due = await db
    .selectFrom('feed_rows')
    .select('seq')
    .where('drop_after', '<', nowMs)
    .orderBy('seq')
    .limit(limit)
    .execute()
  const last = due.at(-1)
  if (!last) return 0
  await db
    .deleteFrom('feed_rows')
    .where(
      'seq',
      'in',
      due.map((row) => row.seq),
    )
    .execute()
  tx.atEnd(raiseResumeFloor, last.seq)
  return due.length
}

/** At the end, for it locks the head: another node may hold that, and wait for an audit head that this group has. */
const raiseResumeFloor: EndStep<number> = {
  rank: 2,
  async flush(db, purged) {
    const highest = Math.max(...purged)
    await (db as Kysely<Tables>)
      .updateTable('feed_head')
      .set({ resume_floor: highest })
      .where('id', '=', 1)
      .where('resume_floor', '<', highest)
      .execute()
  },
}

/** Notes how long the tokens of one source (a resource) may live from now on. */
export async function noteTokenLifetime(
  tx: Transaction,
  source: string,
  seconds: number | null,
  nowMs: number,
): Promise<void> {
  const db = tx.over<Tables>()
  await db
    .updateTable('token_lifetimes')
    .set({ until: nowMs })
    .where('source', '=', source)
    .where('until', 'is', null)
    .execute()
  if (seconds === null) return
  await db
    .insertInto('token_lifetimes')
    .values({ source, seconds, since: nowMs, until: null })
    .onConflict((conflict) => conflict.columns(['source', 'since']).doUpdateSet({ seconds, until: null }))
    .execute()
}

/** The longest lifetime that was configured at any time in the last day. */
export async function longestTokenSeconds(db: Kysely<unknown>, nowMs: number): Promise<number> {
  const row = await (db as Kysely<Tables>)
    .selectFrom('token_lifetimes')
    .select(({ fn }) => fn.max('seconds').as('longest'))
    .where(({ or, eb }) => or([eb('until', 'is', null), eb('until', '>', nowMs - DAY_MS)]))
    .executeTakeFirst()
  return Number(row?.longest ?? 0)
}
