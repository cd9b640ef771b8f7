/**
 * A child that writes rows of the feed, one transaction at a time, and is slow to commit: between the moment a row gets
 * its number and the COMMIT lies a random delay, in which the other writers go on.
 */
import { type Kysely, sql } from 'kysely'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../src/kernel/index.ts'
import { FeedPublisher, newEpoch } from '../../src/revocation/index.ts'
import { type EndStep, openStorage, type StorageLocation, type Transaction } from '../../src/storage/index.ts'

export interface FeedWriterInput {
  readonly location: StorageLocation
  readonly name: string
  readonly changes: number
  readonly longestDelayMs: number
  /** `counter` is the product. The others are what it must not be: numbers that are given out with no lock held. */
  readonly numbering: 'counter' | 'sequence' | 'clock'
}

interface Row {
  readonly key: string
  seq: number
}

const input = JSON.parse(process.argv[2] as string) as FeedWriterInput
const storage = await openStorage(input.location, systemClock)
const publisher = new FeedPublisher(systemClock, async () => {})

/** Of the same rank as the feed's own step and registered after it, so it runs between it and COMMIT. */
const delay: EndStep<unknown> = { rank: 2, flush: () => sleep(Math.random() * input.longestDelayMs) }

/** The control: the row is appended under a number from a sequence, or from before the transaction. */
const unordered: EndStep<Row> = {
  rank: 2,
  async flush(db, rows) {
    for (const row of rows) await insertUnordered(db, row)
  },
}

async function insertUnordered(db: Kysely<unknown>, row: Row): Promise<void> {
  const seq = input.numbering === 'sequence' ? sql`nextval('feed_sequence')` : sql`${row.seq}`
  await sql`
    INSERT INTO feed_rows (seq, epoch, tenant, kind, key, effect, at, drop_after, reason, actor)
    VALUES (${seq}, 'none', NULL, 'api_key', ${row.key}, 'revoked', 0, 9000000000000000, NULL, 'test')`.execute(
    db,
  )
}

function publish(tx: Transaction, row: Row): void {
  if (input.numbering === 'counter')
    publisher.publish(tx, {
      kind: 'api_key',
      key: row.key,
      effect: 'revoked',
      tenant: null,
      actor: newEpoch(),
    })
  else tx.atEnd(unordered, row)
  tx.atEnd(delay, row)
}

process.stdout.write('ready\n')
for (let count = 0; count < input.changes; count++) {
  const row = {
    key: `${input.name} ${count}`,
    seq: Math.floor(systemClock.nowMs() * 1000 + Math.random() * 1000),
  }
  await storage.write(async (tx) => publish(tx, row))
}
await storage.close()
