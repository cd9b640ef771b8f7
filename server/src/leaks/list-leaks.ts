/** Looking back at leaks, as far as the caller reaches. */
import { type Caller, decodeCursor, DEFAULT_LIMIT, type Page, type Paged, toPage } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Leak } from './leak.ts'
import { type LeakFilter, selectLeaks } from './store.ts'

export async function listLeaks(
  storage: Storage,
  caller: Caller,
  filter: LeakFilter,
  page: Page,
): Promise<Paged<Leak>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const before = decodeCursor('leaks', 'string', page.cursor)
  if (caller.tenant !== null && filter.tenantId !== undefined && filter.tenantId !== caller.tenant)
    return { data: [], nextCursor: null }
  const within = {
    ...filter,
    ...(caller.tenant !== null && { tenantId: caller.tenant }),
    ...(caller.resources !== null && { resourceIds: caller.resources }),
  }
  return toPage(
    'leaks',
    await selectLeaks(storage, within, { before, limit: limit + 1 }),
    limit,
    ({ id }) => id,
  )
}
