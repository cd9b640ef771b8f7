/** The sessions' table. A session is looked up by the hash of its cookie's value, together with its user. */
import { sql, type SelectQueryBuilder } from 'kysely'
import type { FloorTable } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { forUpdate } from '../storage/index.ts'
import { IDLE_MS, type Session } from './session.ts'
import { userFromRow, type UserTable } from './user-store.ts'
import type { User } from './user.ts'

export interface SessionTable {
  id: string
  user_id: string
  secret_hash: string
  rsn: number
  auth_time: number
  acr: string
  amr: string
  created_at: number
  created_network: string
  user_agent: string
  expires_at: number
  last_used_at: number
  last_used_network: string
  ended_at: number | null
}

interface Tables {
  sessions: SessionTable
  users: UserTable
  feed_floors: FloorTable
}

type Sessions<O> = SelectQueryBuilder<Tables, 'sessions', O>

export async function insertSession(tx: Transaction, session: Session, secretHash: string): Promise<void> {
  await tx.over<Tables>().insertInto('sessions').values(toRow(session, secretHash)).execute()
}

/** A new value for the cookie, and what the new sign-in proved. The session is locked by the caller. */
export async function saveRenewed(tx: Transaction, session: Session, secretHash: string): Promise<void> {
  const { id, ...rest } = toRow(session, secretHash)
  await tx.over<Tables>().updateTable('sessions').set(rest).where('id', '=', id).execute()
}

/** The live session of a cookie's value and its user, whatever the user's state. */
export async function selectBySecret(
  storage: Storage,
  secretHash: string,
  nowMs: number,
): Promise<{ session: Session; user: User } | undefined> {
  const row = await alive(storage.read<Tables>().selectFrom('sessions'), nowMs)
    .where('sessions.secret_hash', '=', secretHash)
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .selectAll('sessions')
    .select([
      'users.username as u_username',
      'users.email as u_email',
      'users.email_verified_at as u_email_verified_at',
      'users.name as u_name',
      'users.metadata as u_metadata',
      'users.password_set_at as u_password_set_at',
      'users.password_short as u_password_short',
      'users.created_at as u_created_at',
      'users.updated_at as u_updated_at',
      'users.disabled_at as u_disabled_at',
    ])
    .executeTakeFirst()
  if (!row) return undefined
  const user = userFromRow({
    id: row.user_id,
    username: row.u_username,
    email: row.u_email,
    email_verified_at: row.u_email_verified_at,
    name: row.u_name,
    metadata: row.u_metadata,
    password_set_at: row.u_password_set_at,
    password_short: row.u_password_short,
    created_at: row.u_created_at,
    updated_at: row.u_updated_at,
    disabled_at: row.u_disabled_at,
  })
  return { session: fromRow(row), user }
}

/** The same by its id, for whoever holds something that descends from it. */
export async function selectLiveSession(
  storage: Storage,
  id: string,
  nowMs: number,
): Promise<Session | undefined> {
  const row = await alive(storage.read<Tables>().selectFrom('sessions'), nowMs)
    .where('sessions.id', '=', id)
    .selectAll('sessions')
    .executeTakeFirst()
  return row && fromRow(row)
}

/** The live session of a cookie's value, held until COMMIT. */
export async function lockBySecret(
  tx: Transaction,
  secretHash: string,
  nowMs: number,
): Promise<Session | undefined> {
  const query = alive(tx.over<Tables>().selectFrom('sessions'), nowMs)
    .where('sessions.secret_hash', '=', secretHash)
    .selectAll('sessions')
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && fromRow(row)
}

/** Live sessions of a user in the order of their ids, above `after`. */
export async function selectSessions(
  storage: Storage,
  userId: string,
  page: { after?: string | undefined; limit: number; nowMs: number },
): Promise<Session[]> {
  let query = alive(storage.read<Tables>().selectFrom('sessions'), page.nowMs)
    .where('sessions.user_id', '=', userId)
    .selectAll('sessions')
    .orderBy('sessions.id')
    .limit(page.limit)
  if (page.after !== undefined) query = query.where('sessions.id', '>', page.after)
  return (await query.execute()).map(fromRow)
}

/** The ids of what a user has beyond the newest `keep`, at most ten. */
export async function selectSurplus(
  tx: Transaction,
  userId: string,
  keep: number,
  nowMs: number,
): Promise<string[]> {
  const rows = await alive(tx.over<Tables>().selectFrom('sessions'), nowMs)
    .where('sessions.user_id', '=', userId)
    .select('sessions.id')
    .orderBy('sessions.id', 'desc')
    .offset(keep)
    .limit(10)
    .execute()
  return rows.map((row) => row.id)
}

/** What has not ended, the idle ones included: tokens that descend from those may still live. In the order of their ids. */
export async function selectOtherSessions(
  tx: Transaction,
  userId: string,
  keep: string | undefined,
): Promise<string[]> {
  const rows = await tx
    .over<Tables>()
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .where('id', '!=', keep ?? '')
    .orderBy('id')
    .execute()
  return rows.map((row) => row.id)
}

/** Marks it as ended; answers its user, or undefined when there was nothing to end. */
export async function markEnded(
  tx: Transaction,
  id: string,
  nowMs: number,
  userId?: string,
): Promise<string | undefined> {
  let query = tx
    .over<Tables>()
    .updateTable('sessions')
    .set({ ended_at: nowMs })
    .where('id', '=', id)
    .where('ended_at', 'is', null)
  if (userId !== undefined) query = query.where('user_id', '=', userId)
  return (await query.returning('user_id').executeTakeFirst())?.user_id
}

export interface UseRow {
  readonly id: string
  readonly atMs: number
  /** Coarse. */
  readonly network: string
}

/** Notes the last use of at most 500 sessions, in the order of their ids. */
export async function saveUses(tx: Transaction, uses: readonly UseRow[]): Promise<void> {
  const sorted = [...uses].sort((a, b) => (a.id < b.id ? -1 : 1))
  const values = sorted.map((use) => sql`(${use.id}, CAST(${use.atMs} AS BIGINT), ${use.network})`)
  await sql`
    WITH used(id, at, network) AS (VALUES ${sql.join(values)})
    UPDATE sessions SET last_used_at = used.at, last_used_network = used.network FROM used
    WHERE sessions.id = used.id AND sessions.last_used_at < used.at AND sessions.ended_at IS NULL`.execute(
    tx.over<Tables>(),
  )
}

/**
 * Deletes at most `limit` sessions that are over. One that somebody ended stays until it would have expired; those of a
 * deleted user go when they have been idle for long enough.
 */
export async function deleteOver(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const rows = await db
    .selectFrom('sessions')
    .select('id')
    .where(({ or, and, eb }) =>
      or([
        eb('expires_at', '<=', nowMs),
        and([eb('last_used_at', '<=', nowMs - IDLE_MS), eb('ended_at', 'is', null)]),
      ]),
    )
    .orderBy('id')
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  await db
    .deleteFrom('sessions')
    .where(
      'id',
      'in',
      rows.map((row) => row.id),
    )
    .execute()
  return rows.length
}

/** Not ended, not over, and no floor of its user above the position it was born at. */
function alive<O>(query: Sessions<O>, nowMs: number): Sessions<O> {
  return query
    .where('sessions.ended_at', 'is', null)
    .where('sessions.expires_at', '>', nowMs)
    .where('sessions.last_used_at', '>', nowMs - IDLE_MS)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('feed_floors')
            .select('feed_floors.seq')
            .where('feed_floors.kind', '=', 'subject')
            .whereRef('feed_floors.key', '=', 'sessions.user_id')
            .whereRef('feed_floors.seq', '>', 'sessions.rsn'),
        ),
      ),
    ) as Sessions<O>
}

function toRow(session: Session, secretHash: string): SessionTable {
  return {
    id: session.id,
    user_id: session.userId,
    secret_hash: secretHash,
    rsn: session.rsn,
    auth_time: session.authTimeMs,
    acr: session.acr,
    amr: JSON.stringify(session.amr),
    created_at: session.createdAtMs,
    created_network: session.createdNetwork,
    user_agent: session.userAgent,
    expires_at: session.expiresAtMs,
    last_used_at: session.lastUsedAtMs,
    last_used_network: session.lastUsedNetwork,
    ended_at: null,
  }
}

function fromRow(row: SessionTable): Session {
  return {
    id: row.id,
    userId: row.user_id,
    rsn: row.rsn,
    authTimeMs: row.auth_time,
    acr: row.acr,
    amr: JSON.parse(row.amr) as string[],
    createdAtMs: row.created_at,
    expiresAtMs: row.expires_at,
    lastUsedAtMs: row.last_used_at,
    lastUsedNetwork: row.last_used_network,
    createdNetwork: row.created_network,
    userAgent: row.user_agent,
  }
}
