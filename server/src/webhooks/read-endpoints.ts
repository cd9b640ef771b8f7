/** Reading endpoints and their deliveries, as far as the caller reaches. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  notFound,
  type Page,
  type Paged,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { reachesEndpoint, requireUnconfined } from './change-endpoints.ts'
import type { Delivery, Endpoint } from './endpoint.ts'
import { type DeliveryFilter, findEndpoint, selectDeliveries, selectEndpoints } from './store.ts'

export async function getEndpoint(storage: Storage, caller: Caller, id: string): Promise<Endpoint> {
  requireUnconfined(caller)
  const endpoint = await findEndpoint(storage, id)
  if (!endpoint || !reachesEndpoint(caller, endpoint)) throw notFound('webhook')
  return endpoint
}

export async function listEndpoints(storage: Storage, caller: Caller, page: Page): Promise<Paged<Endpoint>> {
  requireUnconfined(caller)
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('webhooks', 'string', page.cursor)
  const rows = await selectEndpoints(storage, caller.tenant ?? undefined, after, limit + 1)
  return toPage('webhooks', rows, limit, ({ id }) => id)
}

export async function listDeliveries(
  storage: Storage,
  caller: Caller,
  filter: DeliveryFilter,
  page: Page,
): Promise<Paged<Delivery>> {
  await getEndpoint(storage, caller, filter.endpointId)
  const limit = page.limit ?? DEFAULT_LIMIT
  const before = decodeCursor('deliveries', 'string', page.cursor)
  const rows = await selectDeliveries(storage, filter, { before, limit: limit + 1 })
  return toPage('deliveries', rows, limit, ({ id }) => id)
}
