/** The outbox's table. */
import { forUpdate, type Storage, type Transaction } from '../storage/index.ts'

interface OutboxTable {
  id: string
  sealed: string
  tries: number
  created_at: number
  next_try_at: number
}

interface Tables {
  outbox: OutboxTable
}

export interface OutboxRow {
  readonly id: string
  readonly sealed: string
  readonly tries: number
  readonly createdAtMs: number
}

export async function insertOutbox(
  tx: Transaction,
  { id, sealed, nowMs }: { readonly id: string; readonly sealed: string; readonly nowMs: number },
): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('outbox')
    .values({ id, sealed, tries: 0, created_at: nowMs, next_try_at: nowMs })
    .execute()
}

/** The next one that is due, put off until `untilMs` so that no other process sends it meanwhile. */
export async function takeDue(
  tx: Transaction,
  nowMs: number,
  untilMs: number,
): Promise<OutboxRow | undefined> {
  const db = tx.over<Tables>()
  const due = db
    .selectFrom('outbox')
    .select('id')
    .where('next_try_at', '<=', nowMs)
    .orderBy('next_try_at')
    .orderBy('id')
    .limit(1)
  const found = await forUpdate(tx, due).executeTakeFirst()
  if (!found) return undefined
  const row = await db
    .updateTable('outbox')
    .set(({ eb }) => ({ next_try_at: untilMs, tries: eb('tries', '+', 1) }))
    .where('id', '=', found.id)
    .where('next_try_at', '<=', nowMs)
    .returningAll()
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function deleteOutbox(tx: Transaction, id: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('outbox').where('id', '=', id).execute()
}

/** Newest first, at most `limit`. */
export async function selectOutbox(storage: Storage, limit: number): Promise<OutboxRow[]> {
  const rows = await storage
    .scan<Tables>()
    .selectFrom('outbox')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(fromRow)
}

/** Whatever is still there so long after: links in it are over. */
export async function deleteOldMail(tx: Transaction, beforeMs: number): Promise<void> {
  await tx.over<Tables>().deleteFrom('outbox').where('created_at', '<', beforeMs).execute()
}

function fromRow(row: OutboxTable): OutboxRow {
  return { id: row.id, sealed: row.sealed, tries: row.tries, createdAtMs: row.created_at }
}
