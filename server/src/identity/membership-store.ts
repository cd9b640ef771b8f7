/** Who is a member of which tenant. */
import type { Storage, Transaction } from '../storage/index.ts'
import type { TenantTable } from '../tenants/index.ts'
import type { Membership } from './user.ts'

export interface MembershipTable {
  user_id: string
  tenant_id: string
  roles: string
  created_at: number
  updated_at: number
}

interface Tables {
  memberships: MembershipTable
  tenants: TenantTable
}

/** The membership as the transaction sees it; its user is locked by the caller. */
export async function findMembership(
  tx: Transaction,
  userId: string,
  tenantId: string,
): Promise<{ roles: readonly string[]; createdAtMs: number } | undefined> {
  const row = await tx
    .over<Tables>()
    .selectFrom('memberships')
    .select(['roles', 'created_at'])
    .where('user_id', '=', userId)
    .where('tenant_id', '=', tenantId)
    .executeTakeFirst()
  return row && { roles: JSON.parse(row.roles) as string[], createdAtMs: row.created_at }
}

export async function putMembership(
  tx: Transaction,
  userId: string,
  tenantId: string,
  roles: readonly string[],
  nowMs: number,
): Promise<void> {
  const changed = { roles: JSON.stringify(roles), updated_at: nowMs }
  await tx
    .over<Tables>()
    .insertInto('memberships')
    .values({ user_id: userId, tenant_id: tenantId, created_at: nowMs, ...changed })
    .onConflict((conflict) => conflict.columns(['user_id', 'tenant_id']).doUpdateSet(changed))
    .execute()
}

export async function deleteMembership(tx: Transaction, userId: string, tenantId: string): Promise<void> {
  await tx
    .over<Tables>()
    .deleteFrom('memberships')
    .where('user_id', '=', userId)
    .where('tenant_id', '=', tenantId)
    .execute()
}

/** A user's memberships of living tenants, in the order of the tenants' ids, above `after`. */
export async function selectMemberships(
  storage: Storage,
  userId: string,
  page: { tenantId?: string | undefined; after?: string | undefined; limit: number },
): Promise<Membership[]> {
  let query = storage
    .read<Tables>()
    .selectFrom('memberships as m')
    .innerJoin('tenants as t', 't.id', 'm.tenant_id')
    .selectAll('m')
    .select(['t.name as tenant_name', 't.disabled_at as tenant_disabled_at'])
    .where('m.user_id', '=', userId)
    .where('t.deleted_at', 'is', null)
    .orderBy('m.tenant_id')
    .limit(page.limit)
  if (page.tenantId !== undefined) query = query.where('m.tenant_id', '=', page.tenantId)
  if (page.after !== undefined) query = query.where('m.tenant_id', '>', page.after)
  return (await query.execute()).map((row) => ({
    userId: row.user_id,
    tenantId: row.tenant_id,
    tenantName: row.tenant_name,
    tenantDisabled: row.tenant_disabled_at !== null,
    roles: JSON.parse(row.roles) as string[],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }))
}

/** Deletes at most `limit` memberships of tenants that were deleted. */
export async function deleteMembershipsOfDeletedTenants(tx: Transaction, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  const rows = await db
    .selectFrom('memberships as m')
    .innerJoin('tenants as t', 't.id', 'm.tenant_id')
    .select(['m.user_id', 'm.tenant_id'])
    .where('t.deleted_at', 'is not', null)
    .orderBy('m.tenant_id')
    .orderBy('m.user_id')
    .limit(limit)
    .execute()
  const byTenant = Map.groupBy(rows, (row) => row.tenant_id)
  for (const [tenantId, members] of byTenant)
    await db
      .deleteFrom('memberships')
      .where('tenant_id', '=', tenantId)
      .where(
        'user_id',
        'in',
        members.map((row) => row.user_id),
      )
      .execute()
  return rows.length
}
