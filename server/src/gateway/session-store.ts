/** The tables of host sessions and of the codes that begin them. */
import type { Storage, Transaction } from '../storage/index.ts'

export interface AppSession {
  readonly secretHash: string
  /** The session of identity that it descends from. */
  readonly sessionId: string
  readonly host: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

export interface AppCode {
  readonly codeHash: string
  readonly sessionId: string
  readonly host: string
  readonly stateHash: string
  readonly returnTo: string
  readonly expiresAtMs: number
}

interface Tables {
  app_sessions: {
    secret_hash: string
    session_id: string
    host: string
    created_at: number
    expires_at: number
  }
  app_codes: {
    code_hash: string
    session_id: string
    host: string
    state_hash: string
    return_to: string
    expires_at: number
  }
}

/** The id of the session that the credential descends from. */
export async function selectAppSession(storage: Storage, secretHash: string): Promise<string | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('app_sessions')
    .select('session_id')
    .where('secret_hash', '=', secretHash)
    .executeTakeFirst()
  return row?.session_id
}

/** One for each host of a session: an earlier one of that host is worth nothing from here on. */
export async function insertAppSession(tx: Transaction, session: AppSession): Promise<void> {
  const row = {
    secret_hash: session.secretHash,
    session_id: session.sessionId,
    host: session.host,
    created_at: session.createdAtMs,
    expires_at: session.expiresAtMs,
  }
  await tx
    .over<Tables>()
    .insertInto('app_sessions')
    .values(row)
    .onConflict((conflict) => conflict.columns(['session_id', 'host']).doUpdateSet(row))
    .execute()
}

export async function insertCode(tx: Transaction, code: AppCode): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('app_codes')
    .values({
      code_hash: code.codeHash,
      session_id: code.sessionId,
      host: code.host,
      state_hash: code.stateHash,
      return_to: code.returnTo,
      expires_at: code.expiresAtMs,
    })
    .execute()
}

/** Answers the code and deletes it: of two who bring it at once, one gets it. */
export async function takeCode(tx: Transaction, codeHash: string): Promise<AppCode | undefined> {
  const row = await tx
    .over<Tables>()
    .deleteFrom('app_codes')
    .where('code_hash', '=', codeHash)
    .returningAll()
    .executeTakeFirst()
  return (
    row && {
      codeHash: row.code_hash,
      sessionId: row.session_id,
      host: row.host,
      stateHash: row.state_hash,
      returnTo: row.return_to,
      expiresAtMs: row.expires_at,
    }
  )
}

/** Deletes what is over, at most `limit` of each. */
export async function deleteOver(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const sessions = await db
    .deleteFrom('app_sessions')
    .where('secret_hash', 'in', (of) =>
      of.selectFrom('app_sessions').select('secret_hash').where('expires_at', '<=', nowMs).limit(limit),
    )
    .executeTakeFirst()
  const codes = await db
    .deleteFrom('app_codes')
    .where('code_hash', 'in', (of) =>
      of.selectFrom('app_codes').select('code_hash').where('expires_at', '<=', nowMs).limit(limit),
    )
    .executeTakeFirst()
  return Number(sessions.numDeletedRows) + Number(codes.numDeletedRows)
}
