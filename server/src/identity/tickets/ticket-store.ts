/** The tickets' table. A ticket is found by the hash of its secret together with its kind and its browser. */
import { forUpdate, type Storage, type Transaction } from '../../storage/index.ts'
import type { Ticket, TicketKind } from './tickets.ts'

interface TicketTable {
  secret_hash: string
  kind: string
  browser_hash: string
  user_id: string | null
  data: string
  tries: number
  created_at: number
  expires_at: number
}

interface Tables {
  tickets: TicketTable
}

/** Which ticket, in whose hands, when. */
export interface TicketKey {
  readonly kind: TicketKind
  readonly secretHash: string
  readonly browserHash: string
  readonly nowMs: number
}

export async function insertTicket(
  tx: Transaction,
  { kind, secretHash, browserHash, nowMs }: TicketKey,
  { userId, data, expiresAtMs }: Pick<Ticket, 'userId' | 'data' | 'expiresAtMs'>,
): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('tickets')
    .values({
      secret_hash: secretHash,
      kind,
      browser_hash: browserHash,
      user_id: userId,
      data: JSON.stringify(data),
      tries: 0,
      created_at: nowMs,
      expires_at: expiresAtMs,
    })
    .execute()
}

export async function selectTicket(storage: Storage, key: TicketKey): Promise<Ticket | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('tickets')
    .selectAll()
    .where('secret_hash', '=', key.secretHash)
    .where('kind', '=', key.kind)
    .where('browser_hash', '=', key.browserHash)
    .where('expires_at', '>', key.nowMs)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** Held until COMMIT. */
export async function lockTicket(tx: Transaction, key: TicketKey): Promise<Ticket | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('tickets')
    .selectAll()
    .where('secret_hash', '=', key.secretHash)
    .where('kind', '=', key.kind)
    .where('browser_hash', '=', key.browserHash)
    .where('expires_at', '>', key.nowMs)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && fromRow(row)
}

/** The one who deletes it has it: of many at once, one. */
export async function takeTicketRow(tx: Transaction, key: TicketKey): Promise<Ticket | undefined> {
  const row = await tx
    .over<Tables>()
    .deleteFrom('tickets')
    .where('secret_hash', '=', key.secretHash)
    .where('kind', '=', key.kind)
    .where('browser_hash', '=', key.browserHash)
    .where('expires_at', '>', key.nowMs)
    .returningAll()
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function countTry(tx: Transaction, secretHash: string): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('tickets')
    .set(({ eb }) => ({ tries: eb('tries', '+', 1) }))
    .where('secret_hash', '=', secretHash)
    .execute()
}

export async function deleteTicket(tx: Transaction, secretHash: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('tickets').where('secret_hash', '=', secretHash).execute()
}

/** What is under way for a user: ends with what it was to prove or to change. */
export async function deleteTicketsOf(tx: Transaction, userId: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('tickets').where('user_id', '=', userId).execute()
}

/** Deletes at most `limit` that are over. */
export async function deleteOldTickets(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const rows = await db
    .selectFrom('tickets')
    .select('secret_hash')
    .where('expires_at', '<=', nowMs)
    .orderBy('secret_hash')
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  const hashes = rows.map((row) => row.secret_hash)
  await db.deleteFrom('tickets').where('secret_hash', 'in', hashes).execute()
  return rows.length
}

function fromRow(row: TicketTable): Ticket {
  return {
    userId: row.user_id,
    data: JSON.parse(row.data) as Ticket['data'],
    tries: row.tries,
    expiresAtMs: row.expires_at,
  }
}
