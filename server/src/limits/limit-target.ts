/**
 * What has limits: one key, owner, client, tenant or resource. Each has counters of its own, and a request passes only
 * when all of them let it.
 */
import { type FeedChange, type FeedKind, subjectKey } from '../revocation/index.ts'
import type { Limit } from './limit.ts'

/** From the nearest to the furthest: in this order a Principal's plan is looked for. */
export const TARGET_KINDS = ['key', 'owner', 'client', 'tenant', 'resource'] as const
export type TargetKind = (typeof TARGET_KINDS)[number]

export interface LimitTarget {
  readonly kind: TargetKind
  /** An id; of an owner the key of the subject (see `subjectKey`). */
  readonly target: string
  /** Whose buckets it has: its own, but for a key that came out of a rotation, which goes on with those of the first. */
  readonly countsAs: string
  /** Whose it is; null: the deployment's. */
  readonly tenantId: string | null
  readonly resourceId: string | null
  readonly planId: string | null
  /** Its own, beside the plan's; one of the same name takes the place of the plan's. */
  readonly limits: readonly Limit[]
  /** The feed's position when the target first got limits: what is younger than a counter's memory was never spent. */
  readonly rsn: number
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

const FEED_KINDS: Readonly<Record<TargetKind, FeedKind>> = {
  key: 'api_key',
  owner: 'subject',
  client: 'client',
  tenant: 'tenant',
  resource: 'resource',
}

export function isFeedKindOfTarget(kind: FeedKind): boolean {
  return Object.values(FEED_KINDS).includes(kind)
}

/** A change of limits touches what its target touches: verifiers drop what they hold of it, and nothing is denied. */
export function changedTarget(kind: TargetKind, target: string): Pick<FeedChange, 'kind' | 'key' | 'effect'> {
  return { kind: FEED_KINDS[kind], key: target, effect: 'changed' }
}

export function ownerTarget(tenantId: string, owner: string): string {
  return subjectKey(tenantId, owner)
}

/** The owner as the API team named it. */
export function ownerOf({ target }: Pick<LimitTarget, 'target'>): string {
  const slash = target.indexOf('/')
  return /^ten_\w{22}\//.test(target) ? target.slice(slash + 1) : target
}
