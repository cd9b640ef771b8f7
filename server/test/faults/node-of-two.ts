/**
 * A child that is one node of two on a database: adds to counters, two at a time in any order, and revokes the same keys
 * as the other node in an order of its own. Says how many changes were acknowledged and which were refused.
 */
import { Peppers, revokeApiKey } from '../../src/api-keys/index.ts'
import { systemCaller, systemClock } from '../../src/kernel/index.ts'
import { Changes, FeedPublisher } from '../../src/revocation/index.ts'
import { forUpdate, openStorage, type Transaction } from '../../src/storage/index.ts'
import { type Prepared, ROOT_SECRET } from './prepared-deployment.ts'

export interface NodeInput extends Prepared {
  readonly callers: number
  readonly additions: number
  readonly counters: number
  readonly keyIds: readonly string[]
}

export interface NodeOutput {
  readonly added: number
  readonly refused: readonly string[]
}

interface Tables {
  counters: { id: number; value: number }
}

const input = JSON.parse(process.argv[2] as string) as NodeInput
const storage = await openStorage(input.location, systemClock)
const peppers = new Peppers(ROOT_SECRET)
await peppers.load(storage)
const context = { peppers, changes: new Changes(systemClock, new FeedPublisher(systemClock, async () => {})) }
const caller = systemCaller([])

let added = 0
const refused: string[] = []

/** Reads, then writes what it read plus one: a lost lock loses an addition. */
async function addOne(tx: Transaction, id: number): Promise<void> {
  const db = tx.over<Tables>()
  const row = await forUpdate(
    tx,
    db.selectFrom('counters').select('value').where('id', '=', id),
  ).executeTakeFirstOrThrow()
  await db
    .updateTable('counters')
    .set({ value: row.value + 1 })
    .where('id', '=', id)
    .execute()
}

async function attempt(work: (tx: Transaction) => Promise<unknown>): Promise<boolean> {
  try {
    await storage.write(work)
    return true
  } catch (error) {
    refused.push((error as Error).message)
    return false
  }
}

const random = (below: number): number => Math.floor(Math.random() * below)
const shuffled = [...input.keyIds].sort(() => Math.random() - 0.5)

process.stdout.write('ready\n')
await Promise.all(
  Array.from({ length: input.callers }, async (_, number) => {
    const share = Math.ceil(shuffled.length / input.callers)
    const ids = shuffled.slice(number * share, (number + 1) * share)
    for (let count = 0; count < input.additions; count++) {
      // In whichever order: against the rule of ascending ids, so that the nodes do collide.
      const [first, second] = [random(input.counters), random(input.counters)]
      const done = await attempt(async (tx) => {
        await addOne(tx, first)
        await addOne(tx, second)
      })
      if (done) added += 2
      const id = ids.pop()
      if (id !== undefined) await attempt((tx) => revokeApiKey(tx, context, caller, id))
    }
  }),
)
await storage.close()
process.stdout.write(`${JSON.stringify({ added, refused } satisfies NodeOutput)}\n`)
