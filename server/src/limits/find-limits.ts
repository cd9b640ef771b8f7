/** Which limits a credential falls under: read with it at first sight, and kept and dropped with it. */
import type { Presented } from '../kernel/index.ts'
import { feedRef } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { bind, type BoundLimit, targetsOf } from './bound-limit.ts'
import { TARGET_KINDS } from './limit-target.ts'
import { findTargets } from './store.ts'

export interface LimitsOf {
  readonly limits: readonly BoundLimit[]
  /** The nearest plan's name. */
  readonly plan: string | undefined
  /** What the limits depend on besides what the credential does. */
  readonly refs: readonly string[]
}

const NONE: LimitsOf = { limits: [], plan: undefined, refs: [] }

export async function findLimits(storage: Storage, presented: Presented): Promise<LimitsOf> {
  const found = await findTargets(storage, targetsOf(presented))
  if (found.length === 0) return NONE
  const nearest = [...found].sort(
    (a, b) => TARGET_KINDS.indexOf(a.target.kind) - TARGET_KINDS.indexOf(b.target.kind),
  )
  return {
    limits: nearest.flatMap(({ target, plan }) => bind(target, plan)),
    plan: nearest.find(({ plan }) => plan !== undefined)?.plan?.name,
    refs: nearest.flatMap(({ plan }) => (plan ? [feedRef('limit', plan.id)] : [])),
  }
}
