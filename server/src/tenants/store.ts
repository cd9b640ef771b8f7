/** The tenants' table. */
import { DEPLOYMENT_TENANT } from '../kernel/index.ts'
import { forShare, forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { Tenant } from './tenant.ts'

export interface TenantTable {
  id: string
  name: string
  external_id: string | null
  metadata: string
  created_at: number
  updated_at: number
  disabled_at: number | null
  deleted_at: number | null
}

interface Tables {
  tenants: TenantTable
}

export async function insertTenant(tx: Transaction, tenant: Tenant): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('tenants')
    .values({ ...toRow(tenant), created_at: tenant.createdAtMs, deleted_at: null })
    .execute()
}

export async function saveTenant(tx: Transaction, tenant: Tenant): Promise<void> {
  const { id, ...rest } = toRow(tenant)
  await tx.over<Tables>().updateTable('tenants').set(rest).where('id', '=', id).execute()
}

export async function markTenantDeleted(tx: Transaction, id: string, nowMs: number): Promise<void> {
  await tx.over<Tables>().updateTable('tenants').set({ deleted_at: nowMs }).where('id', '=', id).execute()
}

/** A living tenant, kept from being changed by others (`update`) or from disappearing (`share`) until COMMIT. */
export async function lockTenant(
  tx: Transaction,
  id: string,
  how: 'share' | 'update',
): Promise<Tenant | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('tenants')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
  const row = await (how === 'share' ? forShare(tx, query) : forUpdate(tx, query)).executeTakeFirst()
  return row && fromRow(row)
}

export async function findTenant(storage: Storage, id: string): Promise<Tenant | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('tenants')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** The oldest tenant of that name: how `default` is found. */
export async function findTenantByName(storage: Storage, name: string): Promise<Tenant | undefined> {
  const row = await storage
    .scan<Tables>()
    .selectFrom('tenants')
    .selectAll()
    .where('name', '=', name)
    .where('deleted_at', 'is', null)
    .where('id', '!=', DEPLOYMENT_TENANT)
    .orderBy('id')
    .executeTakeFirst()
  return row && fromRow(row)
}

export interface TenantFilter {
  readonly id?: string | undefined
  readonly externalId?: string | undefined
}

/** Living tenants in the order of their ids, above `after`. */
export async function selectTenants(
  storage: Storage,
  filter: TenantFilter,
  after: string | undefined,
  limit: number,
): Promise<Tenant[]> {
  let query = storage
    .scan<Tables>()
    .selectFrom('tenants')
    .selectAll()
    .where('deleted_at', 'is', null)
    .where('id', '!=', DEPLOYMENT_TENANT)
    .orderBy('id')
    .limit(limit)
  if (filter.id !== undefined) query = query.where('id', '=', filter.id)
  if (filter.externalId !== undefined) query = query.where('external_id', '=', filter.externalId)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(fromRow)
}

function toRow(tenant: Tenant): Omit<TenantTable, 'created_at' | 'deleted_at'> {
  return {
    id: tenant.id,
    name: tenant.name,
    external_id: tenant.externalId,
    metadata: JSON.stringify(tenant.metadata),
    updated_at: tenant.updatedAtMs,
    disabled_at: tenant.disabledAtMs,
  }
}

function fromRow(row: TenantTable): Tenant {
  return {
    id: row.id,
    name: row.name,
    externalId: row.external_id,
    metadata: JSON.parse(row.metadata) as Tenant['metadata'],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    disabledAtMs: row.disabled_at,
  }
}
