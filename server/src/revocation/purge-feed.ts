/** Deletes rows whose time is over, in small batches, so that the feed stays as large as what is in force. */
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { purgeRows } from './store.ts'

const BATCH = 500
const MOST_BATCHES = 40

/** Answers how many rows went; at most 20,000 a call. */
export async function purgeFeed(storage: Storage, clock: Clock): Promise<number> {
  let gone = 0
  for (let batch = 0; batch < MOST_BATCHES; batch++) {
    const now = await storage.write((tx) => purgeRows(tx, clock.nowMs(), BATCH))
    gone += now
    if (now < BATCH) break
  }
  return gone
}
