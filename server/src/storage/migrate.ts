/**
 * One migration timeline for both databases. All pending migrations run in one locked transaction, so that two first
 * starts at once make one schema, and a failed one leaves nothing behind.
 */
import { sql, type Kysely } from 'kysely'
import { core } from './migrations/001-core.ts'
import { signingKeys } from './migrations/002-signing-keys.ts'
import { clients } from './migrations/003-clients.ts'
import { identity } from './migrations/004-identity.ts'
import { revocations } from './migrations/005-revocations.ts'
import { opaqueTokens } from './migrations/006-opaque-tokens.ts'
import { factors } from './migrations/010-factors.ts'
import { outbox } from './migrations/011-outbox.ts'
import { upstream } from './migrations/012-upstream.ts'
import { roles } from './migrations/013-roles.ts'
import { gateway } from './migrations/020-gateway.ts'
import { limits } from './migrations/030-limits.ts'
import { usage } from './migrations/031-usage.ts'
import { leaks } from './migrations/035-leaks.ts'
import { webhooks } from './migrations/036-webhooks.ts'
import { rotation } from './migrations/037-rotation.ts'
import type { Dialect } from './sql-connection.ts'
import type { Storage } from './storage.ts'

/** How the column types that differ are spelt. Ids sort bytewise on both. */
export interface ColumnTypes {
  readonly id: string
  readonly bigint: string
}

export interface Migration {
  readonly name: string
  statements(types: ColumnTypes): string[]
}

/** In order, for ever: a released migration is never changed. */
export const MIGRATIONS: readonly Migration[] = [
  core,
  signingKeys,
  clients,
  identity,
  revocations,
  opaqueTokens,
  factors,
  outbox,
  upstream,
  roles,
  gateway,
  limits,
  usage,
  leaks,
  webhooks,
  rotation,
]

const TYPES: Record<Dialect, ColumnTypes> = {
  sqlite: { id: 'TEXT', bigint: 'INTEGER' },
  postgres: { id: 'TEXT COLLATE "C"', bigint: 'BIGINT' },
}

interface Tables {
  schema_migrations: { name: string; applied_at: number }
}

/** The names that the database has and the ones it lacks; throws when it is newer than this program. */
export async function schemaState(storage: Storage): Promise<{ applied: string[]; pending: string[] }> {
  return compare(await appliedNames(storage.read<Tables>(), storage.dialect))
}

/** Brings the schema up to date; answers the names of what it applied. */
export async function migrate(storage: Storage, nowMs: number): Promise<string[]> {
  if ((await schemaState(storage)).pending.length === 0) return []
  return storage.write(async (tx) => {
    const db = tx.over<Tables>()
    // SQLite's BEGIN IMMEDIATE already excludes others; Postgres needs a lock of its own, held until COMMIT.
    if (tx.dialect === 'postgres') await sql`SELECT pg_advisory_xact_lock(7266837)`.execute(db)
    await sql`CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at ${sql.raw(TYPES[tx.dialect].bigint)} NOT NULL)`.execute(
      db,
    )
    const { pending } = compare(await appliedNames(db, tx.dialect))
    for (const migration of MIGRATIONS.filter(({ name }) => pending.includes(name))) {
      for (const statement of migration.statements(TYPES[tx.dialect])) await sql.raw(statement).execute(db)
      await db.insertInto('schema_migrations').values({ name: migration.name, applied_at: nowMs }).execute()
    }
    return pending
  })
}

async function appliedNames(db: Kysely<Tables>, dialect: Dialect): Promise<string[]> {
  const exists =
    dialect === 'sqlite'
      ? sql<{
          found: string
        }>`SELECT name AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_migrations'`
      : sql<{ found: string }>`SELECT 1 AS found WHERE to_regclass('schema_migrations') IS NOT NULL`
  if ((await exists.execute(db)).rows.length === 0) return []
  const rows = await db.selectFrom('schema_migrations').select('name').orderBy('name').execute()
  return rows.map((row) => row.name)
}

function compare(applied: string[]): { applied: string[]; pending: string[] } {
  const known = MIGRATIONS.map((migration) => migration.name)
  const foreign = applied.filter((name) => !known.includes(name))
  if (foreign.length > 0)
    throw new Error(
      `The database was migrated by a newer Postern (${foreign.join(', ')}). Start that version, or restore a backup.`,
    )
  return { applied, pending: known.filter((name) => !applied.includes(name)) }
}
