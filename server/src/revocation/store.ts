/** The feed's tables. */
import { type Kysely, sql } from 'kysely'
import {
  type Dialect,
  type EndStep,
  HINT_CHANNEL,
  preparedRead,
  type Storage,
  type Transaction,
} from '../storage/index.ts'
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

interface Tables {
  feed_head: { id: number; seq: number; epoch: string; resume_floor: number }
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

const selectHead = preparedRead([1], (db: Kysely<Tables>, id: number) =>
  db.selectFrom('feed_head').select(['seq', 'epoch', 'resume_floor as resumeFloor']).where('id', '=', id),
)

/** The head: one point read, on the primary. */
export async function readFeedHead(db: Kysely<unknown>): Promise<FeedHead> {
  const row = await selectHead(db, 1)
  if (!row) throw new Error('The feed has no head: the database was not set up.')
  return row
}

/** Rows above `after` up to the head, in order. */
export async function readRows(storage: Storage, after: number, limit: number): Promise<FeedRow[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('feed_rows')
    .select(['seq', 'epoch', 'tenant', 'kind', 'key', 'effect', 'at', 'drop_after as dropAfter'])
    .where('seq', '>', after)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map((row) => ({ ...row, kind: row.kind as FeedKind, effect: row.effect as FeedEffect }))
}

export async function createFeed(tx: Transaction, epoch: string, nowMs: number): Promise<void> {
  const seq = nowMs * 1000
  await tx.over<Tables>().insertInto('feed_head').values({ id: 1, seq, epoch, resume_floor: seq }).execute()
}

export async function setEpoch(tx: Transaction, epoch: string): Promise<void> {
  await tx.over<Tables>().updateTable('feed_head').set({ epoch }).where('id', '=', 1).execute()
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
