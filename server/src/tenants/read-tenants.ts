/** Reading tenants, as far as the caller reaches. Another tenant's id answers as if it did not exist. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  DEPLOYMENT_TENANT,
  notFound,
  type Page,
  type Paged,
  reachesTenant,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { findTenant, findTenantByName, selectTenants, type TenantFilter } from './store.ts'
import { DEFAULT_TENANT_NAME, type Tenant } from './tenant.ts'

export async function getTenant(storage: Storage, caller: Caller, id: string): Promise<Tenant> {
  const tenant =
    reachesTenant(caller, id) && id !== DEPLOYMENT_TENANT ? await findTenant(storage, id) : undefined
  if (!tenant) throw notFound('tenant')
  return tenant
}

export async function listTenants(
  storage: Storage,
  caller: Caller,
  filter: Omit<TenantFilter, 'id'>,
  page: Page,
): Promise<Paged<Tenant>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('tenants', 'string', page.cursor)
  const rows = await selectTenants(storage, { ...filter, id: caller.tenant ?? undefined }, after, limit + 1)
  return toPage('tenants', rows, limit, (tenant) => tenant.id)
}

/** The tenant meant by a request that names none: the caller's own, else the one called `default`. */
export async function impliedTenant(
  storage: Storage,
  caller: Caller,
  named: string | undefined,
): Promise<string> {
  if (named !== undefined) return (await getTenant(storage, caller, named)).id
  if (caller.tenant !== null) return caller.tenant
  const tenant = await findTenantByName(storage, DEFAULT_TENANT_NAME)
  if (!tenant) throw notFound(`tenant named "${DEFAULT_TENANT_NAME}"; name the tenant you mean`)
  return tenant.id
}
