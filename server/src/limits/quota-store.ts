/** What of each quota was reserved in a period. */
import { sql } from 'kysely'
import { forUpdate, type Transaction } from '../storage/index.ts'

interface Tables {
  limit_quotas: { bucket: string; period: string; reserved: number; ends_at: number }
}

export interface Reservation {
  readonly bucket: string
  readonly period: string
  readonly endsAtMs: number
  readonly limit: number
  /** Nothing is taken when there is less. */
  readonly atLeast: number
  /** What is waited for at this moment. */
  readonly wanted: number
}

const LARGEST_BLOCK = 1_000
/** So many blocks in what remains: they get smaller towards the end, where every one counts. */
const PARTS = 20

export async function reserve(
  tx: Transaction,
  { bucket, period, endsAtMs, limit, atLeast, wanted }: Reservation,
): Promise<{ got: number; reserved: number }> {
  const db = tx.over<Tables>()
  await db
    .insertInto('limit_quotas')
    .values({ bucket, period, reserved: 0, ends_at: endsAtMs })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const query = db
    .selectFrom('limit_quotas')
    .select('reserved')
    .where('bucket', '=', bucket)
    .where('period', '=', period)
  const { reserved } = await forUpdate(tx, query).executeTakeFirstOrThrow()
  const remaining = Math.max(0, limit - reserved)
  const got = remaining < atLeast ? 0 : Math.min(remaining, Math.max(atLeast, wanted, blockOf(remaining)))
  if (got > 0)
    await db
      .updateTable('limit_quotas')
      .set({ reserved: reserved + got })
      .where('bucket', '=', bucket)
      .where('period', '=', period)
      .execute()
  return { got, reserved: reserved + got }
}

function blockOf(remaining: number): number {
  return Math.min(LARGEST_BLOCK, Math.ceil(remaining / PARTS))
}

/** In the order of their names, as they are locked. */
export async function giveBack(
  tx: Transaction,
  blocks: readonly { readonly bucket: string; readonly period: string; readonly amount: number }[],
): Promise<void> {
  for (const { bucket, period, amount } of [...blocks].sort((a, b) => (a.bucket < b.bucket ? -1 : 1)))
    await tx
      .over<Tables>()
      .updateTable('limit_quotas')
      .set({ reserved: sql`CASE WHEN reserved > ${amount} THEN reserved - ${amount} ELSE 0 END` })
      .where('bucket', '=', bucket)
      .where('period', '=', period)
      .execute()
}

/** Forgets periods that are long over. */
export async function purgeQuotas(tx: Transaction, endedBeforeMs: number): Promise<void> {
  await tx.over<Tables>().deleteFrom('limit_quotas').where('ends_at', '<', endedBeforeMs).execute()
}
