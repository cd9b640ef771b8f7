/** Opens the configured database. Postgres' driver is loaded only when it is used. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../kernel/index.ts'
import { openSqlite } from './sqlite.ts'
import type { Storage, StorageTesting } from './storage.ts'

export interface StorageLocation {
  /** `postgres://…`; absent: SQLite in the data folder. */
  readonly databaseUrl?: string | undefined
  readonly dataDir: string
}

export const SQLITE_FILE = 'postern.db'

export async function openStorage(
  location: StorageLocation,
  clock: Clock,
  testing: StorageTesting = {},
): Promise<Storage> {
  if (location.databaseUrl !== undefined) {
    const { openPostgres } = await import('./postgres.ts')
    return openPostgres(location.databaseUrl, clock, testing)
  }
  mkdirSync(location.dataDir, { recursive: true, mode: 0o700 })
  return openSqlite(join(location.dataDir, SQLITE_FILE), clock, testing)
}
