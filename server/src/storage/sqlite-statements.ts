/** What every SQLite connection of ours does alike: pragmas, a bounded cache of statements, errors by their code. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { StorageUnavailable, UniqueViolation } from './sql-connection.ts'

export type StatementCache = Map<string, StatementSync>

const MOST_STATEMENTS = 200
/** How long a writer waits for another process's lock before it gives up. */
export const BUSY_TIMEOUT_MS = 5_000

export function applyPragmas(db: DatabaseSync, readOnly: boolean, busyTimeoutMs: number): void {
  db.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`)
  db.exec('PRAGMA cache_size = -8000')
  if (readOnly) return
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  db.exec('PRAGMA temp_store = MEMORY')
  db.exec('PRAGMA journal_size_limit = 67108864')
}

/** A prepared statement, kept by its text. Bulk statements (very long) are not kept. */
export function openStatement(db: DatabaseSync, cache: StatementCache, sql: string): StatementSync {
  const known = cache.get(sql)
  if (known) return known
  const statement = db.prepare(sql)
  if (sql.length > 4_000) return statement
  if (cache.size >= MOST_STATEMENTS) cache.delete(cache.keys().next().value as string)
  cache.set(sql, statement)
  return statement
}

const UNIQUE = new Set([1555, 2067]) // SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
const OUR_FAULT = new Set([1, 19, 20, 25]) // ERROR (bad SQL), CONSTRAINT, MISMATCH, RANGE

/** Turns SQLite's result code into what the writer acts on. */
export function sqliteError(message: string, errcode: number): Error {
  if (UNIQUE.has(errcode)) return new UniqueViolation(message)
  if (errcode === 0 || OUR_FAULT.has(errcode & 0xff)) return new Error(`SQLite: ${message}`)
  const what = (errcode & 0xff) === 13 ? 'The disk is full.' : 'The database is locked or cannot be written.'
  return new StorageUnavailable(what, new Error(`SQLite error ${errcode}: ${message}`))
}
