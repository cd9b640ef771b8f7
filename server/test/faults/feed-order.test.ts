/**
 * Several processes race to write the feed while the product's reader follows it: every row of the table at the end was
 * handed to the reader, once and in order. And the control: with numbers from a plain sequence (or a clock) in the
 * counter's place, the same reader under the same race skips rows.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { sql } from 'kysely'
import { systemClock } from '../../src/kernel/index.ts'
import { FeedReader } from '../../src/revocation/index.ts'
import { openStorage, type Storage } from '../../src/storage/index.ts'
import { onBothDatabases, type TestDatabase } from '../databases.ts'
import { startChild } from './child-process.ts'
import type { FeedWriterInput } from './feed-writer.ts'
import { prepareDeployment } from './prepared-deployment.ts'

const WRITERS = 4
const CHANGES = 60
const READERS = 3

interface Tables {
  feed_rows: { seq: number; key: string }
}

interface Race {
  /** In the order of their numbers. */
  readonly written: string[]
  /** As each reader was given them. */
  readonly read: string[][]
}

/** Readers of the product, asked as often as they can answer, until the writers are done. */
async function race(database: TestDatabase, numbering: FeedWriterInput['numbering']): Promise<Race> {
  const storages = await Promise.all(
    Array.from({ length: READERS }, () => openStorage(database.location, systemClock)),
  )
  const follows = await Promise.all(storages.map(follow))
  const writers = Array.from({ length: WRITERS }, (_, number) => {
    const input: FeedWriterInput = {
      location: database.location,
      name: `writer ${number}`,
      changes: CHANGES,
      longestDelayMs: 6,
      numbering,
    }
    return startChild('feed-writer.ts', input)
  })
  for (const writer of writers) assert.equal(await writer.exited, 0, writer.errors())
  const read = await Promise.all(follows.map((stop) => stop()))
  const rows = await (storages[0] as Storage)
    .scan<Tables>()
    .selectFrom('feed_rows')
    .select('key')
    .where('key', 'like', 'writer %')
    .orderBy('seq')
    .execute()
  await Promise.all(storages.map((storage) => storage.close()))
  return { written: rows.map((row) => row.key), read }
}

async function follow(storage: Storage): Promise<() => Promise<string[]>> {
  const reader = new FeedReader(storage, systemClock)
  const seen: string[] = []
  reader.onRows((rows) => seen.push(...rows.map((row) => row.key)))
  await reader.start()
  const end = new AbortController()
  const loop = (async () => {
    while (!end.signal.aborted) {
      await reader.catchUp()
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 2))
    }
  })()
  return async () => {
    end.abort()
    await loop
    // What committed after the last reading began.
    await reader.catchUp()
    await reader.stop()
    return seen
  }
}

/** What the readers take for the head is then the highest number in sight, as it would be without a counter. */
async function withoutCounter(database: TestDatabase): Promise<void> {
  const storage = await openStorage(database.location, systemClock)
  await storage.write(async (tx) => {
    const db = tx.over<unknown>()
    await sql`ALTER TABLE feed_head RENAME TO feed_start`.execute(db)
    await sql`CREATE VIEW feed_head AS SELECT id, epoch, resume_floor,
      (SELECT COALESCE(MAX(r.seq), s.seq) FROM feed_rows r) AS seq FROM feed_start s`.execute(db)
    if (tx.dialect === 'postgres')
      await sql`CREATE SEQUENCE feed_sequence START ${sql.lit(systemClock.nowMs() * 1000)}`.execute(db)
  })
  await storage.close()
}

describe('the order of the feed', () => {
  onBothDatabases('with racing writers', (fresh) => {
    let ordered: TestDatabase
    let unordered: TestDatabase
    before(async () => {
      ordered = await fresh()
      await prepareDeployment(ordered.location)
      unordered = await fresh()
      await prepareDeployment(unordered.location)
      await withoutCounter(unordered)
    })

    it('no reader ever skips a row', async () => {
      const { written, read } = await race(ordered, 'counter')
      assert.equal(written.length, WRITERS * CHANGES)
      for (const seen of read) assert.deepEqual(seen, written)
    })

    it('control: without the counter, the same readers skip rows', async (test) => {
      const { written, read } = await race(unordered, unordered.dialect === 'postgres' ? 'sequence' : 'clock')
      assert.equal(written.length, WRITERS * CHANGES)
      const skipped = read.map((seen) => written.filter((key) => !seen.includes(key)).length)
      test.diagnostic(`${skipped.join(', ')} of ${written.length} rows were skipped`)
      assert.ok(Math.max(...skipped) > 0, 'no reader skipped a row: the harness does not see a lost order')
    })
  })
})
