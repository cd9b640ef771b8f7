/** Removes the keys of deleted tenants and resources, which are dead already, a batch at a time. */
import type { Storage } from '../storage/index.ts'
import { deleteKeysOfDeletedParents } from './list-store.ts'

const BATCH = 500
const MOST_BATCHES = 40

export async function purgeDeletedParents(storage: Storage): Promise<number> {
  let gone = 0
  for (let batch = 0; batch < MOST_BATCHES; batch++) {
    const now = await storage.write((tx) => deleteKeysOfDeletedParents(tx, BATCH))
    gone += now
    if (now < BATCH) break
  }
  return gone
}
