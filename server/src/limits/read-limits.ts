/** Reading plans and limits, as far as the caller reaches. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  notFound,
  type Page,
  type Paged,
  reachesResource,
  reachesTenant,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Aim } from './change-limits.ts'
import { type LimitTarget, ownerTarget, type TargetKind } from './limit-target.ts'
import type { Plan } from './plan.ts'
import { findPlan, findTargets, selectPlans, selectTargets } from './store.ts'

export async function getPlan(storage: Storage, idOrName: string): Promise<Plan> {
  const plan = await findPlan(storage, idOrName)
  if (!plan) throw notFound('plan')
  return plan
}

export async function listPlans(storage: Storage, page: Page): Promise<Paged<Plan>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('plans', 'string', page.cursor)
  return toPage('plans', await selectPlans(storage, after, limit + 1), limit, ({ id }) => id)
}

export interface LimitsFound {
  readonly target: LimitTarget
  readonly plan: Plan | undefined
}

export async function getLimits(storage: Storage, caller: Caller, aim: Aim): Promise<LimitsFound> {
  const target = aim.kind === 'owner' ? ownerTarget(aim.tenantId, aim.id) : aim.id
  const [found] = await findTargets(storage, [[aim.kind, target]])
  if (!found || !reachesTarget(caller, found.target)) throw notFound('limits')
  return found
}

export async function listLimits(
  storage: Storage,
  caller: Caller,
  { kind, plan }: { readonly kind?: TargetKind | undefined; readonly plan?: string | undefined },
  page: Page,
): Promise<Paged<LimitTarget>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const cursor = decodeCursor('limits', 'string', page.cursor)
  // An owner may have any character; a cursor's position may not.
  const after = cursor === undefined ? undefined : Buffer.from(cursor, 'base64url').toString()
  const planId = plan === undefined ? undefined : ((await findPlan(storage, plan))?.id ?? '')
  const filter = {
    kind,
    planId,
    tenantId: caller.tenant ?? undefined,
    resourceIds: caller.resources ?? undefined,
  }
  const rows = await selectTargets(storage, filter, after, limit + 1)
  return toPage('limits', rows, limit, (target) =>
    Buffer.from(`${target.kind}:${target.target}`).toString('base64url'),
  )
}

/** Whether a caller may know of it: of its tenant where it has one, and of its resource where it has one. */
export function reachesTarget(
  caller: Pick<Caller, 'tenant' | 'resources'>,
  { tenantId, resourceId }: Pick<LimitTarget, 'tenantId' | 'resourceId'>,
): boolean {
  if (resourceId !== null && !reachesResource(caller, resourceId)) return false
  return tenantId === null ? caller.tenant === null || resourceId !== null : reachesTenant(caller, tenantId)
}
