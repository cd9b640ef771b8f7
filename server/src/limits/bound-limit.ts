/** A limit together with what it counts for: everything that a decision needs, and what a verify caches. */
import type { Presented } from '../kernel/index.ts'
import type { Limit, QuotaLimit, RateLimit } from './limit.ts'
import type { LimitTarget, TargetKind } from './limit-target.ts'
import type { Plan } from './plan.ts'

export interface BoundLimit<L extends Limit = Limit> {
  /** `key:key_…:per-second`: the counter's name, here and in Valkey. */
  readonly bucket: string
  readonly on: TargetKind
  readonly limit: L
  readonly rsn: number
}

export type BoundRate = BoundLimit<RateLimit>
export type BoundQuota = BoundLimit<QuotaLimit>

export function isRate(bound: BoundLimit): bound is BoundRate {
  return bound.limit.type === 'rate'
}

export function isQuota(bound: BoundLimit): bound is BoundQuota {
  return bound.limit.type === 'quota'
}

/** The plan's limits and the target's own, which go first by name. */
export function bind(target: LimitTarget, plan: Plan | undefined): BoundLimit[] {
  const byName = new Map<string, Limit>()
  for (const limit of [...(plan?.limits ?? []), ...target.limits]) byName.set(limit.name, limit)
  return [...byName.values()].map((limit) => ({
    bucket: bucketName(target.kind, target.countsAs, limit.name),
    on: target.kind,
    limit,
    rsn: target.rsn,
  }))
}

export function bucketName(kind: TargetKind, target: string, name: string): string {
  return `${kind}:${target}:${name}`
}

/** The way back; undefined when it is not one. An owner may have any character, a limit's name has no colon. */
export function parseBucket(
  bucket: string,
): { readonly kind: TargetKind; readonly target: string; readonly name: string } | undefined {
  const match = /^(key|owner|client|tenant|resource):(.+):([a-z0-9][a-z0-9._-]{0,63})$/s.exec(bucket)
  return match
    ? { kind: match[1] as TargetKind, target: match[2] as string, name: match[3] as string }
    : undefined
}

/** As much of a credential as says whom it is charged to. */
export type Charged = Pick<Presented, 'resourceId' | 'refs'> & {
  readonly principal: Pick<Presented['principal'], 'sub' | 'tenant'>
}

/**
 * Whom a request is charged to. What descends from a key is charged to that key: exchanging it for tokens buys nothing.
 * Whoever acts for a user is counted as a client beside the client that was given the token.
 */
export function targetsOf({ principal, resourceId, refs }: Charged): [TargetKind, string][] {
  const targets: [TargetKind, string][] = [
    ['tenant', principal.tenant],
    ['resource', resourceId],
  ]
  for (const ref of refs) {
    const colon = ref.indexOf(':')
    const [kind, key] = [ref.slice(0, colon), ref.slice(colon + 1)]
    if (kind === 'api_key') targets.push(['key', key])
    if (kind === 'client') targets.push(['client', key])
  }
  const { sub, tenant } = principal
  targets.push(['owner', /^(usr|cli)_/.test(sub) ? sub : `${tenant}/${sub}`])
  return targets
}
