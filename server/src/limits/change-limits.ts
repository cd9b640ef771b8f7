/** Giving a plan and limits to a key, owner, client, tenant or resource, and taking them away. */
import {
  type Caller,
  invalid,
  notFound,
  reachesResource,
  reachesTenant,
  requireDeployment,
} from '../kernel/index.ts'
import { type Changes, readFeedHead } from '../revocation/index.ts'
import { lockResource } from '../resources/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import { checkLimits, type Limit } from './limit.ts'
import { changedTarget, type LimitTarget, ownerTarget, type TargetKind } from './limit-target.ts'
import { deleteTarget, lockPlan, lockTarget, putTarget } from './store.ts'

/** Of keys and clients this module knows the ids alone: who they belong to is asked of their own modules. */
export interface LimitContext {
  readonly changes: Changes
  keyParents(
    tx: Transaction,
    id: string,
  ): Promise<{ readonly tenantId: string; readonly resourceId: string } | undefined>
  clientParents(tx: Transaction, id: string): Promise<{ readonly tenantId: string | null } | undefined>
}

export interface Aim {
  readonly kind: TargetKind
  /** An id, or an owner as the API team named it. */
  readonly id: string
  /** Of an owner: the tenant it belongs to. */
  readonly tenantId: string
}

export interface LimitsInput {
  /** By id or name. */
  readonly plan?: string | null | undefined
  readonly limits?: readonly Limit[] | undefined
}

/**
 * Sets what is named and keeps the rest. A tenant's and a resource's limits are what the deployment grants: only its
 * own operators change them. Throws `not_found` for what the caller does not reach.
 */
export async function setLimits(
  tx: Transaction,
  context: LimitContext,
  caller: Caller,
  aim: Aim,
  input: LimitsInput,
): Promise<LimitTarget> {
  const { seq: rsn } = await readFeedHead(tx.over())
  const place = await locate(tx, context, caller, aim)
  if (input.limits) checkLimits(input.limits)
  const plan = typeof input.plan === 'string' ? await lockPlan(tx, input.plan, 'share') : null
  if (plan === undefined) throw invalid('/plan', 'No such plan.')
  const before = await lockTarget(tx, aim.kind, place.target)
  const nowMs = context.changes.clock.nowMs()
  const after: LimitTarget = {
    kind: aim.kind,
    ...place,
    countsAs: before?.countsAs ?? place.target,
    planId: input.plan === undefined ? (before?.planId ?? null) : (plan?.id ?? null),
    limits: input.limits ?? before?.limits ?? [],
    rsn: before?.rsn ?? rsn,
    createdAtMs: before?.createdAtMs ?? nowMs,
    updatedAtMs: nowMs,
  }
  await putTarget(tx, after)
  record(tx, context, caller, 'limits.changed', after)
  return after
}

/** From here on nothing limits it. Throws `not_found` when it had no limits. */
export async function clearLimits(
  tx: Transaction,
  context: LimitContext,
  caller: Caller,
  aim: Aim,
): Promise<void> {
  const place = await locate(tx, context, caller, aim)
  const before = await lockTarget(tx, aim.kind, place.target)
  if (!before) throw notFound('limits')
  await deleteTarget(tx, aim.kind, place.target)
  record(tx, context, caller, 'limits.removed', { ...before, planId: null, limits: [] })
}

/**
 * What a key's successor has from its first moment: the same plan and limits, and the same buckets, so that a rotation
 * gives nothing to spend again. In the rotation's transaction; nobody has seen the successor yet.
 */
export async function inheritLimits(tx: Transaction, fromKeyId: string, toKeyId: string): Promise<void> {
  const before = await lockTarget(tx, 'key', fromKeyId)
  if (before) await putTarget(tx, { ...before, target: toKeyId })
}

function record(
  tx: Transaction,
  { changes }: LimitContext,
  caller: Caller,
  action: 'limits.changed' | 'limits.removed',
  { kind, target, tenantId, planId, limits }: LimitTarget,
): void {
  changes.record(tx, caller, {
    action,
    tenant: tenantId,
    target: { type: kind, id: target },
    data: { plan: planId, limits },
    feed: changedTarget(kind, target),
  })
}

type Place = Pick<LimitTarget, 'target' | 'tenantId' | 'resourceId'>

async function locate(
  tx: Transaction,
  context: LimitContext,
  caller: Caller,
  { kind, id, tenantId }: Aim,
): Promise<Place> {
  switch (kind) {
    case 'key': {
      const key = await context.keyParents(tx, id)
      if (!key || !reachesTenant(caller, key.tenantId) || !reachesResource(caller, key.resourceId))
        throw notFound('key')
      return { target: id, tenantId: key.tenantId, resourceId: key.resourceId }
    }
    case 'owner':
      if (!reachesTenant(caller, tenantId) || !(await lockTenant(tx, tenantId, 'share')))
        throw notFound('tenant')
      // A user acts in several tenants, and has one bucket: whoever follows the feed for any of them hears of it.
      if (/^(usr|cli)_/.test(id)) {
        requireDeployment(caller, "Changing a user's limits")
        return { target: id, tenantId: null, resourceId: null }
      }
      return { target: ownerTarget(tenantId, id), tenantId, resourceId: null }
    case 'client': {
      const client = await context.clientParents(tx, id)
      if (!client || (caller.tenant !== null && client.tenantId !== caller.tenant)) throw notFound('client')
      return { target: id, tenantId: client.tenantId, resourceId: null }
    }
    case 'tenant':
      if (!reachesTenant(caller, id)) throw notFound('tenant')
      requireDeployment(caller, "Changing a tenant's limits")
      if (!(await lockTenant(tx, id, 'share'))) throw notFound('tenant')
      return { target: id, tenantId: id, resourceId: null }
    case 'resource':
      if (!reachesResource(caller, id)) throw notFound('resource')
      requireDeployment(caller, "Changing a resource's limits")
      if (!(await lockResource(tx, id, 'share'))) throw notFound('resource')
      return { target: id, tenantId: null, resourceId: id }
  }
}
