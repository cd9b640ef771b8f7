/** What doctor asks the database itself. */
import { sql } from 'kysely'
import type { Storage } from '../../storage/index.ts'

interface Tables {
  audit_events: { seq: number; at: number }
}

/** `databaseMs`: the clock of a database elsewhere; SQLite has none of its own. */
export async function readDatabaseClock(
  storage: Storage,
): Promise<{ databaseMs: number | undefined; latestChangeMs: number | undefined }> {
  const db = storage.read<Tables>()
  const latest = await db
    .selectFrom('audit_events')
    .select('at')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  let databaseMs: number | undefined
  if (storage.dialect === 'postgres') {
    const { rows } = await sql<{
      ms: string
    }>`SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS ms`.execute(db)
    databaseMs = Number(rows[0]?.ms)
  }
  return { databaseMs, latestChangeMs: latest?.at }
}
