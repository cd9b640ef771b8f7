/** Reading clients, as far as the caller reaches. Another tenant's client answers as if it did not exist. */
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
import { mayManage } from './change-clients.ts'
import type { Client } from './client.ts'
import { type ClientFilter, findClient, selectClients } from './store.ts'

export async function getClient(storage: Storage, caller: Caller, id: string): Promise<Client> {
  const client = await findClient(storage, id)
  if (!client || !mayManage(caller, client)) throw notFound('client')
  return client
}

export async function listClients(
  storage: Storage,
  caller: Caller,
  filter: ClientFilter,
  page: Page,
): Promise<Paged<Client>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('clients', 'string', page.cursor)
  if (caller.tenant !== null && filter.tenant !== undefined && filter.tenant !== caller.tenant)
    return { data: [], nextCursor: null }
  const tenant = caller.tenant ?? filter.tenant
  const rows = await selectClients(storage, { ...filter, tenant }, after, limit + 1)
  return toPage('clients', rows, limit, (client) => client.id)
}
