/** The tables of one-time codes and of recovery codes. */
import { forUpdate, type Storage, type Transaction } from '../../storage/index.ts'

interface OneTimeCodeTable {
  user_id: string
  sealed_secret: string
  last_step: number
  failures: number
  created_at: number
  last_used_at: number | null
}

interface Tables {
  one_time_codes: OneTimeCodeTable
  recovery_codes: { user_id: string; code_hash: string; used_at: number | null }
}

/** What a code is checked against. */
export interface OneTimeCodes {
  readonly sealedSecret: string
  /** The step of the last code that was taken: none of it or before is taken again. */
  readonly lastStep: number
  /** Wrong codes since the last right one. */
  readonly failures: number
}

/** What pages and operators see. */
export interface SecondFactorState {
  readonly createdAtMs: number
  readonly lastUsedAtMs: number | null
  /** Wrong codes have stopped it. */
  readonly failures: number
  readonly recoveryCodesLeft: number
}

export async function hasOneTimeCodes(tx: Transaction, userId: string): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .selectFrom('one_time_codes')
    .select('user_id')
    .where('user_id', '=', userId)
    .executeTakeFirst()
  return row !== undefined
}

export async function selectSecondFactor(
  storage: Storage,
  userId: string,
): Promise<SecondFactorState | undefined> {
  const db = storage.read<Tables>()
  const row = await db
    .selectFrom('one_time_codes')
    .select(['created_at', 'last_used_at', 'failures'])
    .where('user_id', '=', userId)
    .executeTakeFirst()
  if (!row) return undefined
  const left = await db
    .selectFrom('recovery_codes')
    .select('code_hash')
    .where('user_id', '=', userId)
    .where('used_at', 'is', null)
    .execute()
  return {
    createdAtMs: row.created_at,
    lastUsedAtMs: row.last_used_at,
    failures: row.failures,
    recoveryCodesLeft: left.length,
  }
}

/** Held until COMMIT. */
export async function lockOneTimeCodes(tx: Transaction, userId: string): Promise<OneTimeCodes | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('one_time_codes')
    .select(['sealed_secret', 'last_step', 'failures'])
    .where('user_id', '=', userId)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && { sealedSecret: row.sealed_secret, lastStep: row.last_step, failures: row.failures }
}

/** Replaces what was there. */
export async function putOneTimeCodes(
  tx: Transaction,
  userId: string,
  { sealedSecret, lastStep, nowMs }: { sealedSecret: string; lastStep: number; nowMs: number },
): Promise<void> {
  const row = {
    sealed_secret: sealedSecret,
    last_step: lastStep,
    failures: 0,
    created_at: nowMs,
    last_used_at: null,
  }
  await tx
    .over<Tables>()
    .insertInto('one_time_codes')
    .values({ user_id: userId, ...row })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(row))
    .execute()
}

/** False when a code of this step, or of a later one, was taken meanwhile. */
export async function riseLastStep(
  tx: Transaction,
  userId: string,
  step: number,
  nowMs: number,
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .updateTable('one_time_codes')
    .set({ last_step: step, failures: 0, last_used_at: nowMs })
    .where('user_id', '=', userId)
    .where('last_step', '<', step)
    .returning('user_id')
    .executeTakeFirst()
  return row !== undefined
}

export async function setFailures(tx: Transaction, userId: string, failures: number): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('one_time_codes')
    .set({ failures })
    .where('user_id', '=', userId)
    .execute()
}

export async function deleteOneTimeCodes(tx: Transaction, userId: string): Promise<boolean> {
  await tx.over<Tables>().deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  const row = await tx
    .over<Tables>()
    .deleteFrom('one_time_codes')
    .where('user_id', '=', userId)
    .returning('user_id')
    .executeTakeFirst()
  return row !== undefined
}

/** These, and none of before. */
export async function replaceRecoveryCodes(
  tx: Transaction,
  userId: string,
  hashes: readonly string[],
): Promise<void> {
  const db = tx.over<Tables>()
  await db.deleteFrom('recovery_codes').where('user_id', '=', userId).execute()
  const rows = hashes.map((hash) => ({ user_id: userId, code_hash: hash, used_at: null }))
  await db.insertInto('recovery_codes').values(rows).execute()
}

/** Of many at once one uses it. */
export async function useRecoveryCode(
  tx: Transaction,
  userId: string,
  hash: string,
  nowMs: number,
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .updateTable('recovery_codes')
    .set({ used_at: nowMs })
    .where('user_id', '=', userId)
    .where('code_hash', '=', hash)
    .where('used_at', 'is', null)
    .returning('code_hash')
    .executeTakeFirst()
  return row !== undefined
}

/** For a new root secret: all that is sealed, in the order of the users' ids. */
export async function selectSealedSecrets(tx: Transaction): Promise<{ userId: string; sealed: string }[]> {
  const query = tx
    .over<Tables>()
    .selectFrom('one_time_codes')
    .select(['user_id', 'sealed_secret'])
    .orderBy('user_id')
  const rows = await forUpdate(tx, query).execute()
  return rows.map((row) => ({ userId: row.user_id, sealed: row.sealed_secret }))
}

export async function updateSealedSecret(tx: Transaction, userId: string, sealed: string): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('one_time_codes')
    .set({ sealed_secret: sealed })
    .where('user_id', '=', userId)
    .execute()
}
