/**
 * Leases: a verifier asks for slices of the limits that it sees, and decides by itself as long as they last. A slice
 * leaves the bucket when it is given, so that verifiers together never admit more than the limit; what is not returned
 * within its time is spent.
 */
import { randomBytes } from 'node:crypto'
import type { Caller, Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { bind, type BoundLimit, type BoundQuota, isRate, parseBucket } from './bound-limit.ts'
import { LEASE_MARGIN_MS, LEASE_MS } from './bucket.ts'
import type { Counters, Leased, LeaseTerms } from './counters.ts'
import { perMs } from './limit.ts'
import type { TargetKind } from './limit-target.ts'
import type { Quotas } from './quotas.ts'
import { reachesTarget } from './read-limits.ts'
import { findTargets } from './store.ts'

/** How often a holder says what it spent: five times in the life of a lease. */
export const RENEW_MS = 200
/** For fewer at once than this a holder asks about each request. */
const FEWEST_EACH = 2
const MOST_QUOTA_LEASES = 100_000

export interface Wish extends Omit<LeaseTerms, 'holder'> {
  readonly bucket: string
}

/** Undefined terms: this limit is not leased; ask about each request. */
export interface Answer {
  readonly bucket: string
  readonly leased: { readonly id: string; readonly granted: number } | undefined
}

export interface LeasePorts {
  readonly storage: Storage
  readonly clock: Clock
  readonly counters: Counters
  readonly quotas: Quotas
  readonly canLease: boolean
  /** Quotas are reserved by each process for itself: only one alone can take slices of them back. */
  readonly canLeaseQuotas: boolean
}

interface QuotaLease {
  readonly id: string
  granted: number
  returned: number
  endsAtMs: number
}

export class Leases {
  readonly #ports: LeasePorts
  readonly #quotaLeases = new Map<string, QuotaLease>()

  constructor(ports: LeasePorts) {
    this.#ports = ports
  }

  /** Whatever the caller does not reach, does not exist, or is not to be leased, is answered as not leased. */
  async renew(caller: Caller, holder: string, wishes: readonly Wish[]): Promise<Answer[]> {
    const own = `${caller.id}/${holder}`
    const limits = this.#ports.canLease ? await this.#limitsOf(caller, wishes) : new Map<string, BoundLimit>()
    return Promise.all(
      wishes.map(async (wish): Promise<Answer> => {
        const bound = limits.get(wish.bucket)
        const leased = bound && (await this.#grant(bound, { ...wish, holder: own }).catch(() => undefined))
        return { bucket: wish.bucket, leased }
      }),
    )
  }

  async #limitsOf(caller: Caller, wishes: readonly Wish[]): Promise<Map<string, BoundLimit>> {
    const targets = new Map<string, [TargetKind, string]>()
    for (const { bucket } of wishes) {
      const parsed = parseBucket(bucket)
      if (parsed) targets.set(`${parsed.kind}:${parsed.target}`, [parsed.kind, parsed.target])
    }
    if (targets.size === 0) return new Map()
    const found = await findTargets(this.#ports.storage, [...targets.values()])
    return new Map(
      found
        .filter(({ target }) => reachesTarget(caller, target))
        .flatMap(({ target, plan }) => bind(target, plan))
        .filter(({ limit }) => limit.enforcement === 'leased')
        .map((bound) => [bound.bucket, bound]),
    )
  }

  async #grant(bound: BoundLimit, terms: LeaseTerms): Promise<Answer['leased']> {
    if (isRate(bound)) return leaseRate(this.#ports.counters, bound, terms)
    return this.#ports.canLeaseQuotas ? this.#leaseQuota(bound as BoundQuota, terms) : undefined
  }

  async #leaseQuota(quota: BoundQuota, terms: LeaseTerms): Promise<Answer['leased']> {
    const { quotas, clock } = this.#ports
    await quotas.ready([quota], Math.max(1, terms.want))
    const name = `${terms.holder} ${quota.bucket}`
    const nowMs = clock.monotonicMs()
    let lease = this.#quotaLeases.get(name)
    if (lease && lease.id === terms.id && lease.endsAtMs > nowMs) {
      const back = Math.max(0, Math.min(terms.returned, lease.granted) - lease.returned)
      quotas.putBack([quota], back)
      lease.returned += back
      lease.granted = Math.min(lease.granted, terms.granted)
    } else lease = { id: randomBytes(9).toString('base64url'), granted: 0, returned: 0, endsAtMs: 0 }
    this.#quotaLeases.delete(name)
    lease.granted += quotas.slice(quota, terms.want)
    lease.endsAtMs = nowMs + LEASE_MS + LEASE_MARGIN_MS
    if (this.#quotaLeases.size >= MOST_QUOTA_LEASES)
      this.#quotaLeases.delete(this.#quotaLeases.keys().next().value as string)
    this.#quotaLeases.set(name, lease)
    return { id: lease.id, granted: lease.granted }
  }
}

/**
 * Undefined where the rate is too small to be cut up: then each request is asked about, and all that the holders have is
 * soon spent or over.
 */
export async function leaseRate(
  counters: Counters,
  bound: Parameters<Counters['lease']>[0],
  terms: LeaseTerms,
): Promise<Leased | undefined> {
  const { burst } = bound.limit
  // A burst that is refilled faster than holders tell what they spent would stand full, and lose what refills it.
  if (burst < perMs(bound.limit) * 2 * RENEW_MS) return undefined
  const leased = await counters.lease(bound, terms)
  if (burst >= leased.holders * FEWEST_EACH) return leased
  // What it got is given back in the same breath.
  const { granted, id } = leased
  await counters.lease(bound, {
    ...terms,
    id,
    granted,
    returned: Math.max(0, granted - terms.spent),
    want: 0,
  })
  return undefined
}
