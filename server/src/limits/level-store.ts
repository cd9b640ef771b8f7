/** The levels of buckets over a clean restart. They are read once: what is not cleanly left again is spent. */
import type { Transaction } from '../storage/index.ts'

interface Tables {
  limit_levels: { bucket: string; millitokens: number; at: number }
}

export interface Level {
  readonly bucket: string
  readonly tokens: number
}

/** The row that says that the last end was a clean one. */
const MARK = ''
const BATCH = 500

export async function saveLevels(tx: Transaction, levels: readonly Level[], nowMs: number): Promise<void> {
  const rows = [{ bucket: MARK, tokens: 0 }, ...levels]
  for (let at = 0; at < rows.length; at += BATCH)
    await tx
      .over<Tables>()
      .insertInto('limit_levels')
      .values(
        rows.slice(at, at + BATCH).map(({ bucket, tokens }) => ({
          bucket,
          millitokens: Math.floor(tokens * 1000),
          at: nowMs,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute()
}

/** Undefined when the last end was not a clean one, and nothing is known. */
export async function takeLevels(tx: Transaction): Promise<{ levels: Level[]; atMs: number } | undefined> {
  const db = tx.over<Tables>()
  const rows = await db.selectFrom('limit_levels').selectAll().execute()
  if (rows.length > 0) await db.deleteFrom('limit_levels').execute()
  const mark = rows.find(({ bucket }) => bucket === MARK)
  return (
    mark && {
      levels: rows
        .filter(({ bucket }) => bucket !== MARK)
        .map(({ bucket, millitokens }) => ({ bucket, tokens: millitokens / 1000 })),
      atMs: mark.at,
    }
  )
}
