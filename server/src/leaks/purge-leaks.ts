/** Deletes what is known of keys that were deleted with their tenant or resource. */
import type { Storage } from '../storage/index.ts'
import { deleteOrphans } from './store.ts'

const BATCH = 1_000

export async function purgeLeaks(storage: Storage): Promise<void> {
  await storage.write((tx) => deleteOrphans(tx, BATCH))
}
