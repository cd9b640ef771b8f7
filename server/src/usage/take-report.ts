/**
 * What verifiers decided by themselves: counts that they send in batches, each with an id, so that a batch that is sent
 * twice counts once. A verifier tells of what it reaches alone, and a key counts for whom it belongs to, whatever the
 * report says.
 */
import { type Caller, reachesTenant } from '../kernel/index.ts'
import type { ResourceUris } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import { addCounts, addRequests, addScopes, insertReport, selectKeyOwners } from './store.ts'
import { RING, type RecentRequest, type UsageCount, type UsedScope } from './usage-cell.ts'

export interface UsageReport {
  /** Random; the same for a batch that is sent again. */
  readonly id: string
  readonly counts: readonly UsageCount[]
  readonly requests: readonly RecentRequest[]
  readonly scopes: readonly UsedScope[]
}

/** How far from now a report may be: beyond, its sender's clock is not one to count by, and it counts as now. */
const FURTHEST_MINUTES = 60

/** `taken` is false for a batch that was taken before. `ignored` counts what the caller does not reach. */
export async function takeReport(
  storage: Storage,
  uris: ResourceUris,
  caller: Caller,
  { id, counts, requests, scopes }: UsageReport,
  nowMs: number,
): Promise<{ taken: boolean; ignored: number }> {
  const keyIds = [...counts, ...requests, ...scopes]
    .map(({ credential }) => credential)
    .filter((one) => one.startsWith('key_'))
  const owners = new Map(
    (await selectKeyOwners(storage, [...new Set(keyIds)])).map((owner) => [owner.id, owner]),
  )
  await uris.know(caller.resources ?? [])
  const resources = caller.resources && new Set(caller.resources.map((one) => uris.uriOf(one)))
  const reaches = (tenant: string, resource: string): boolean =>
    reachesTenant(caller, tenant) && (!resources || resources.has(resource))
  const nowMinute = Math.floor(nowMs / 60_000)

  const taken: UsageCount[] = []
  for (const count of counts) {
    const owner = owners.get(count.credential)
    if (count.credential.startsWith('key_') && !owner) continue
    const { tenant, resource } = owner ? { tenant: owner.tenantId, resource: owner.resource } : count
    if (!reaches(tenant, resource)) continue
    const far = Math.abs(count.minute - nowMinute) > FURTHEST_MINUTES
    taken.push({ ...count, tenant, resource, minute: far ? nowMinute : count.minute })
  }
  // Of keys alone: to whom anything else belongs is not known here.
  const ofReachedKey = ({ credential }: { credential: string }): boolean => {
    const owner = owners.get(credential)
    return owner !== undefined && reaches(owner.tenantId, owner.resource)
  }
  const told = await storage.write(async (tx) => {
    if (!(await insertReport(tx, `${caller.id}/${id}`, nowMs))) return false
    await addCounts(tx, taken)
    await addRequests(tx, requests.filter(ofReachedKey), RING)
    await addScopes(tx, scopes.filter(ofReachedKey))
    return true
  })
  return { taken: told, ignored: counts.length - taken.length }
}
