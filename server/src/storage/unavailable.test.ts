/** A database that is locked or gone: callers are told so, soon, and the next one is served once it is back. */
import assert from 'node:assert/strict'
import { renameSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { it } from 'node:test'
import { freshSqlite } from '../../test/databases.ts'
import { systemClock } from '../kernel/index.ts'
import { migrate, openStorage, SQLITE_FILE, StorageUnavailable } from './index.ts'
import { BUSY_TIMEOUT_MS } from './sqlite-statements.ts'

/** Fails instead of waiting for ever. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

it('refuses writers while another process holds the lock for long, and serves them afterwards', async () => {
  const { location, drop } = freshSqlite()
  const storage = await openStorage(location, systemClock)
  await migrate(storage, 1)
  const rival = new DatabaseSync(join(location.dataDir, SQLITE_FILE))
  rival.exec('BEGIN IMMEDIATE')
  const writes = [1, 2].map((value) => storage.write(async () => value))
  const results = await within(2 * BUSY_TIMEOUT_MS, Promise.allSettled(writes))
  for (const result of results) {
    assert.equal(result.status, 'rejected')
    assert.ok(result.reason instanceof StorageUnavailable)
  }
  rival.exec('ROLLBACK')
  assert.equal(
    await within(
      BUSY_TIMEOUT_MS,
      storage.write(async () => 'written'),
    ),
    'written',
  )
  rival.close()
  await storage.close()
  await drop()
})

it('refuses writers while the database cannot be opened, and serves them once it can', async () => {
  const { location, drop } = freshSqlite()
  const first = await openStorage(location, systemClock)
  await migrate(first, 1)
  // It has a database, so its own writer is only opened by the first change.
  const storage = await openStorage(location, systemClock)
  await first.close()
  const away = `${location.dataDir}-away`
  renameSync(location.dataDir, away)
  for (let round = 0; round < 3; round++)
    await assert.rejects(
      within(
        5_000,
        storage.write(async () => {}),
      ),
      StorageUnavailable,
    )
  renameSync(away, location.dataDir)
  assert.equal(
    await within(
      5_000,
      storage.write(async () => 'written'),
    ),
    'written',
  )
  await storage.close()
  await drop()
})
