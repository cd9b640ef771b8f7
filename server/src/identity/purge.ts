/** Sweeps what is over (sessions, tickets, used challenges) and memberships of deleted tenants, in small batches. */
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { deleteMembershipsOfDeletedTenants } from './membership-store.ts'
import { deleteSpent } from './passkeys/challenge-store.ts'
import { deleteOver } from './session-store.ts'
import { deleteOldTickets } from './tickets/ticket-store.ts'

const BATCH = 500
const MOST_BATCHES = 20

/** Answers how many rows went; at most 40,000 a call. Safe to run in several processes at once. */
export async function purgeIdentity(storage: Storage, clock: Clock): Promise<number> {
  let gone = 0
  for (const sweep of [deleteOver, deleteOldTickets, deleteSpent])
    gone += await inBatches(() => storage.write((tx) => sweep(tx, clock.nowMs(), BATCH)))
  return gone + (await inBatches(() => storage.write((tx) => deleteMembershipsOfDeletedTenants(tx, BATCH))))
}

async function inBatches(batch: () => Promise<number>): Promise<number> {
  let gone = 0
  for (let count = 0; count < MOST_BATCHES; count++) {
    const now = await batch()
    gone += now
    if (now < BATCH) break
  }
  return gone
}
