/** Creating, changing and deleting plans: a deployment operator's work. */
import { type Caller, newId, notFound, PosternError, requireDeployment } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import { type Transaction, UniqueViolation } from '../storage/index.ts'
import { checkLimits, type Limit } from './limit.ts'
import type { Plan } from './plan.ts'
import { deletePlanRow, hasTargets, insertPlan, lockPlan, savePlan } from './store.ts'

export interface PlanInput {
  readonly name: string
  readonly limits: readonly Limit[]
}

export async function createPlan(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: PlanInput,
): Promise<Plan> {
  requireDeployment(caller, 'Creating a plan')
  checkLimits(input.limits)
  const nowMs = changes.clock.nowMs()
  const plan: Plan = { id: newId('pln', changes.clock), ...input, createdAtMs: nowMs, updatedAtMs: nowMs }
  await uniquely(insertPlan(tx, plan))
  changes.record(tx, caller, {
    action: 'plan.created',
    tenant: null,
    target: { type: 'plan', id: plan.id },
    data: { name: plan.name, limits: plan.limits },
    feed: null,
  })
  return plan
}

/** Everything that has the plan has its new limits at once; what is in their buckets stays, up to the new burst. */
export async function updatePlan(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: Partial<PlanInput>,
): Promise<Plan> {
  requireDeployment(caller, 'Changing a plan')
  const before = await lockPlan(tx, id, 'update')
  if (!before) throw notFound('plan')
  if (patch.limits) checkLimits(patch.limits)
  const plan: Plan = {
    ...before,
    name: patch.name ?? before.name,
    limits: patch.limits ?? before.limits,
    updatedAtMs: changes.clock.nowMs(),
  }
  await uniquely(savePlan(tx, plan))
  changes.record(tx, caller, {
    action: 'plan.updated',
    tenant: null,
    target: { type: 'plan', id: plan.id },
    data: { before: { name: before.name, limits: before.limits }, name: plan.name, limits: plan.limits },
    feed: { kind: 'limit', key: plan.id, effect: 'changed' },
  })
  return plan
}

/** Refused with `conflict` while anything has it. */
export async function deletePlan(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a plan')
  const plan = await lockPlan(tx, id, 'update')
  if (!plan) throw notFound('plan')
  if (await hasTargets(tx, plan.id))
    throw new PosternError(
      'conflict',
      `The plan "${plan.name}" is in use; take it from whatever has it first.`,
    )
  await deletePlanRow(tx, plan.id)
  changes.record(tx, caller, {
    action: 'plan.deleted',
    tenant: null,
    target: { type: 'plan', id: plan.id },
    data: { name: plan.name },
    feed: null,
  })
}

async function uniquely(write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (error instanceof UniqueViolation) throw new PosternError('conflict', 'Another plan has this name.')
    throw error
  }
}
