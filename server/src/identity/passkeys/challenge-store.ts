/** The table of challenges that were used. */
import type { Transaction } from '../../storage/index.ts'

interface Tables {
  spent_challenges: { challenge_hash: string; expires_at: number }
}

/** False when it was there: whoever comes second waits for the first to commit. */
export async function insertSpent(tx: Transaction, hash: string, expiresAtMs: number): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .insertInto('spent_challenges')
    .values({ challenge_hash: hash, expires_at: expiresAtMs })
    .onConflict((conflict) => conflict.column('challenge_hash').doNothing())
    .returning('challenge_hash')
    .executeTakeFirst()
  return row !== undefined
}

/** Deletes at most `limit` that nobody could use any more. */
export async function deleteSpent(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const rows = await db
    .selectFrom('spent_challenges')
    .select('challenge_hash')
    .where('expires_at', '<=', nowMs)
    .orderBy('challenge_hash')
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  const hashes = rows.map((row) => row.challenge_hash)
  await db.deleteFrom('spent_challenges').where('challenge_hash', 'in', hashes).execute()
  return rows.length
}
