/** Two nodes on one database, both with group commit, in each other's way: nothing is lost, nothing happens twice. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sql } from 'kysely'
import { issueApiKey, Peppers } from '../../src/api-keys/index.ts'
import { systemCaller, systemClock } from '../../src/kernel/index.ts'
import { Changes, FeedPublisher } from '../../src/revocation/index.ts'
import { openStorage } from '../../src/storage/index.ts'
import { onBothDatabases } from '../databases.ts'
import { startChild } from './child-process.ts'
import type { NodeInput, NodeOutput } from './node-of-two.ts'
import { type Prepared, prepareDeployment, ROOT_SECRET } from './prepared-deployment.ts'
import { faultsAfterCrash } from './survivors.ts'

const COUNTERS = 6
const CALLERS = 10
const ADDITIONS = 20
const KEYS = 100

interface Tables {
  counters: { id: number; value: number }
}

async function addCountersAndKeys({ location, tenantId, resourceId }: Prepared): Promise<string[]> {
  const storage = await openStorage(location, systemClock)
  const peppers = new Peppers(ROOT_SECRET)
  await peppers.load(storage)
  const changes = new Changes(systemClock, new FeedPublisher(systemClock, async () => {}))
  await storage.write(async (tx) => {
    const db = tx.over<Tables>()
    await sql`CREATE TABLE counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)`.execute(db)
    await db
      .insertInto('counters')
      .values(Array.from({ length: COUNTERS }, (_, id) => ({ id, value: 0 })))
      .execute()
    // A second each is what Postgres waits before it looks for a deadlock; here there are dozens.
    if (tx.dialect === 'postgres')
      await sql`DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET deadlock_timeout = ''20ms''', current_database());
      END $$`.execute(db)
  })
  const issued = await Promise.all(
    Array.from({ length: KEYS }, (_, number) =>
      storage.write((tx) =>
        issueApiKey(tx, { changes, peppers }, systemCaller([]), {
          tenantId,
          resourceId,
          owner: `owner ${number}`,
          name: 'contended',
          scopes: [],
        }),
      ),
    ),
  )
  await storage.close()
  return issued.map(({ record }) => record.id)
}

async function sumOfCounters({ location }: Prepared): Promise<number> {
  const storage = await openStorage(location, systemClock)
  const rows = await storage.read<Tables>().selectFrom('counters').select('value').execute()
  await storage.close()
  return rows.reduce((sum, { value }) => sum + value, 0)
}

onBothDatabases('two nodes in conflict', (fresh) => {
  it('lose no change, do none twice, and keep one whole audit chain', async (test) => {
    const prepared = await prepareDeployment((await fresh()).location)
    const keyIds = await addCountersAndKeys(prepared)
    const input: NodeInput = {
      ...prepared,
      callers: CALLERS,
      additions: ADDITIONS,
      counters: COUNTERS,
      keyIds,
    }
    const nodes = [startChild('node-of-two.ts', input), startChild('node-of-two.ts', input)]
    for (const node of nodes) assert.equal(await node.exited, 0, node.errors())
    const outputs = nodes.map((node) => JSON.parse(node.lines.at(-1) as string) as NodeOutput)

    const added = outputs.reduce((sum, output) => sum + output.added, 0)
    assert.equal(await sumOfCounters(prepared), added)
    assert.deepEqual(
      outputs.flatMap((output) => output.refused),
      [],
    )
    assert.equal(added, 2 * 2 * CALLERS * ADDITIONS)
    // Each key was revoked by both: one change, one event, one row of the feed.
    const acknowledged = keyIds.map((id) => `revoked ${id}`)
    assert.deepEqual(await faultsAfterCrash(prepared.location, prepared.resourceId, acknowledged), [])
    test.diagnostic(`${added} additions, ${keyIds.length} keys revoked by both`)
  })
})
