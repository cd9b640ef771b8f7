/** Deletes what is known of keys that were deleted with their tenant or resource. */
import type { Storage } from '../storage/index.ts'
import { deleteLeaks, selectOrphans } from './store.ts'

const BATCH = 1_000

export async function purgeLeaks(storage: Storage): Promise<void> {
  // Looked for beside the writer, which nothing should hold up.
  const ids = await selectOrphans(storage, BATCH)
  if (ids.length > 0) await storage.write((tx) => deleteLeaks(tx, ids))
}
