/** The questions about usage, as far as the caller reaches. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  invalid,
  notFound,
  type Page,
  type Paged,
  reachesResource,
  reachesTenant,
  toPage,
} from '../kernel/index.ts'
import type { ResourceUris } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import {
  type Dimension,
  type KeyOfUsage,
  selectKey,
  selectRequests,
  selectRotatedInUse,
  selectScopes,
  selectUnusedKeys,
  selectUsage,
  type UsageFilter,
  type UsageRow,
} from './store.ts'
import type { Grain, RecentRequest } from './usage-cell.ts'

export interface UsageQuestion extends Omit<UsageFilter, 'withinTenant' | 'withinResources'> {
  readonly grain: Grain
  readonly groupBy: readonly Dimension[]
  readonly byTime: boolean
  readonly limit: number
}

export const MOST_ROWS = 10_000

export async function readUsage(
  storage: Storage,
  uris: ResourceUris,
  caller: Pick<Caller, 'tenant' | 'resources'>,
  { grain, groupBy, byTime, limit, ...filter }: UsageQuestion,
): Promise<UsageRow[]> {
  if (filter.untilSeconds <= filter.sinceSeconds) throw invalid('/until', 'This is not after `since`.')
  await uris.know(caller.resources ?? [])
  const within = {
    withinTenant: caller.tenant ?? undefined,
    withinResources: caller.resources?.map((id) => uris.uriOf(id)),
  }
  return selectUsage(storage, grain, groupBy, byTime, { ...filter, ...within }, limit)
}

export interface KeyUsage {
  readonly key: KeyOfUsage
  /** Newest first. */
  readonly requests: readonly RecentRequest[]
  readonly scopes: readonly { readonly scope: string; readonly lastUsedAtMs: number | null }[]
}

/** Throws `not_found` for a key that the caller does not reach. */
export async function readKeyUsage(
  storage: Storage,
  caller: Pick<Caller, 'tenant' | 'resources'>,
  id: string,
): Promise<KeyUsage> {
  const key = await selectKey(storage, id)
  if (!key || !reachesTenant(caller, key.tenantId) || !reachesResource(caller, key.resourceId))
    throw notFound('key')
  return usageOf(storage, key)
}

/** For whoever holds a key of the same owner: their own keys, and no others. */
export async function readOwnKeyUsage(
  storage: Storage,
  owner: { readonly sub: string; readonly tenant: string },
  id: string,
): Promise<KeyUsage> {
  const key = await selectKey(storage, id)
  if (!key || key.owner !== owner.sub || key.tenantId !== owner.tenant) throw notFound('key')
  return usageOf(storage, key)
}

async function usageOf(storage: Storage, key: KeyOfUsage): Promise<KeyUsage> {
  const [requests, used] = await Promise.all([selectRequests(storage, key.id), selectScopes(storage, key.id)])
  const lastUsed = new Map(used.map(({ scope, atMs }) => [scope, atMs]))
  return {
    key,
    requests,
    scopes: key.scopes.map((scope) => ({ scope, lastUsedAtMs: lastUsed.get(scope) ?? null })),
  }
}

export async function listUnusedKeys(
  storage: Storage,
  caller: Caller,
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
  page: Page,
): Promise<Paged<KeyOfUsage>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('unused-keys', 'string', page.cursor)
  const rows = await selectUnusedKeys(storage, caller, sinceMs, nowMs, after, limit + 1)
  return toPage('unused-keys', rows, limit, ({ id }) => id)
}

export async function listRotatedInUse(
  storage: Storage,
  caller: Caller,
  nowMs: number,
  page: Page,
): Promise<Paged<KeyOfUsage>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('rotated-keys', 'string', page.cursor)
  const rows = await selectRotatedInUse(storage, caller, nowMs, after, limit + 1)
  return toPage('rotated-keys', rows, limit, ({ id }) => id)
}
