/** Creating, changing and deleting tenants: a deployment operator's work. */
import {
  type Caller,
  DEPLOYMENT_TENANT,
  newId,
  notFound,
  PosternError,
  requireDeployment,
} from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import { type Transaction, UniqueViolation } from '../storage/index.ts'
import { insertTenant, lockTenant, markTenantDeleted, saveTenant } from './store.ts'
import type { Tenant } from './tenant.ts'

export interface TenantInput {
  readonly name: string
  readonly externalId?: string | null | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export async function createTenant(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: TenantInput,
): Promise<Tenant> {
  requireDeployment(caller, 'Creating a tenant')
  const nowMs = changes.clock.nowMs()
  const tenant: Tenant = {
    id: newId('ten', changes.clock),
    name: input.name,
    externalId: input.externalId ?? null,
    metadata: input.metadata ?? {},
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    disabledAtMs: null,
  }
  await uniquely(insertTenant(tx, tenant))
  changes.record(tx, caller, {
    action: 'tenant.created',
    tenant: tenant.id,
    target: { type: 'tenant', id: tenant.id },
    data: { name: tenant.name, external_id: tenant.externalId },
    feed: null,
  })
  return tenant
}

export interface TenantPatch extends Omit<TenantInput, 'name'> {
  readonly name?: string | undefined
  readonly disabled?: boolean | undefined
}

/** Disabling refuses all of the tenant's credentials until it is enabled again. */
export async function updateTenant(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: TenantPatch,
): Promise<Tenant> {
  requireDeployment(caller, 'Changing a tenant')
  const before = await livingTenant(tx, id)
  const nowMs = changes.clock.nowMs()
  const disabledAtMs =
    patch.disabled === undefined
      ? before.disabledAtMs
      : patch.disabled
        ? (before.disabledAtMs ?? nowMs)
        : null
  const tenant: Tenant = {
    ...before,
    name: patch.name ?? before.name,
    externalId: patch.externalId === undefined ? before.externalId : patch.externalId,
    metadata: patch.metadata ?? before.metadata,
    updatedAtMs: nowMs,
    disabledAtMs,
  }
  await uniquely(saveTenant(tx, tenant))
  const turned = (before.disabledAtMs === null) !== (disabledAtMs === null)
  changes.record(tx, caller, {
    action: turned ? (disabledAtMs === null ? 'tenant.enabled' : 'tenant.disabled') : 'tenant.updated',
    tenant: id,
    target: { type: 'tenant', id },
    data: { changed: Object.keys(patch) },
    feed: turned ? { kind: 'tenant', key: id, effect: 'changed' } : null,
  })
  return tenant
}

/** A tombstone, a floor and one feed row: everything the tenant had is dead at once; its rows are purged later. */
export async function deleteTenant(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a tenant')
  const tenant = await livingTenant(tx, id)
  await markTenantDeleted(tx, id, changes.clock.nowMs())
  changes.record(tx, caller, {
    action: 'tenant.deleted',
    tenant: id,
    target: { type: 'tenant', id },
    data: { name: tenant.name },
    feed: { kind: 'tenant', key: id, effect: 'deleted' },
  })
}

/**
 * Ends every credential that the tenant has now: keys, its operators' as well, grants and tokens. The tenant lives on, and
 * what is issued afterwards is good.
 */
export async function revokeTenant(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  reason: string | null = null,
): Promise<void> {
  requireDeployment(caller, 'Ending all credentials of a tenant')
  await livingTenant(tx, id)
  changes.record(tx, caller, {
    action: 'tenant.revoked',
    tenant: id,
    target: { type: 'tenant', id },
    data: { reason },
    feed: { kind: 'tenant', key: id, effect: 'revoked', reason },
  })
}

async function livingTenant(tx: Transaction, id: string): Promise<Tenant> {
  const tenant = id === DEPLOYMENT_TENANT ? undefined : await lockTenant(tx, id, 'update')
  if (!tenant) throw notFound('tenant')
  return tenant
}

async function uniquely(write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (error instanceof UniqueViolation)
      throw new PosternError('conflict', 'Another tenant has this external_id.')
    throw error
  }
}
