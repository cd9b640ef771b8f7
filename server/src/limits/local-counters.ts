/**
 * Rates counted in this process: exactly, when it is the only one. When it is one of several, each counts its share,
 * and all of them together never admit more than the whole. Bounded: full buckets are forgotten first, and what had to
 * be forgotten otherwise counts as spent.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../kernel/index.ts'
import type { BoundRate } from './bound-limit.ts'
import {
  type Bucket,
  forgottenBucket,
  isFull,
  type Lease,
  LEASE_MARGIN_MS,
  LEASE_MS,
  refill,
} from './bucket.ts'
import type { Counters, Leased, LeaseTerms, Taken } from './counters.ts'
import type { RateLimit } from './limit.ts'

export interface LocalCountersOptions {
  readonly clock: Clock
  /** The feed's position when memory began: what got its limits later was never spent. */
  readonly sinceRsn: number
  /** This process's part of each limit. */
  readonly share?: number
  readonly mostBuckets?: number
}

interface Entry {
  readonly bucket: Bucket
  limit: RateLimit
}

const MOST_BUCKETS = 200_000

export class LocalCounters implements Counters {
  readonly #clock: Clock
  readonly #share: number
  readonly #most: number
  readonly #entries = new Map<string, Entry>()
  #sinceMs: number
  #sinceRsn: number
  /** What was taken, by bucket, where somebody asked to be told. */
  #debts: Map<string, number> | undefined

  constructor({ clock, sinceRsn, share = 1, mostBuckets = MOST_BUCKETS }: LocalCountersOptions) {
    this.#clock = clock
    this.#sinceMs = clock.monotonicMs()
    this.#sinceRsn = sinceRsn
    this.#share = share
    this.#most = mostBuckets
  }

  take(rates: readonly BoundRate[], cost: number): Taken {
    const nowMs = this.#clock.monotonicMs()
    const buckets = rates.map((rate) => this.#bucket(rate, nowMs))
    const ok = buckets.every(({ tokens }) => tokens >= cost)
    if (ok)
      for (const [index, bucket] of buckets.entries()) {
        bucket.tokens -= cost
        this.#owe((rates[index] as BoundRate).bucket, cost)
      }
    return { ok, levels: buckets.map(({ tokens }) => tokens) }
  }

  lease(rate: BoundRate, { holder, id, granted, spent, returned, want }: LeaseTerms): Leased {
    const nowMs = this.#clock.monotonicMs()
    const bucket = this.#bucket(rate, nowMs)
    const leases = (bucket.leases ??= new Map<string, Lease>())
    let lease = leases.get(holder)
    if (lease && lease.id === id) {
      // A grant that never arrived is spent; a holder says at most what it was given.
      const held = Math.max(0, Math.min(granted, lease.granted) - spent - returned)
      const back = Math.max(0, Math.min(returned - lease.returned, lease.outstanding - held))
      bucket.tokens += back
      lease.returned = Math.max(lease.returned, returned)
      lease.outstanding = Math.min(lease.outstanding, held)
      lease.granted = Math.min(granted, lease.granted)
    } else {
      // One that it no longer knows of is spent.
      lease = {
        id: randomBytes(9).toString('base64url'),
        granted: 0,
        returned: 0,
        outstanding: 0,
        endsAtMs: 0,
      }
      leases.set(holder, lease)
    }
    const more = Math.max(0, Math.min(want, Math.floor(bucket.tokens)))
    bucket.tokens -= more
    lease.granted += more
    lease.outstanding += more
    lease.endsAtMs = nowMs + LEASE_MS + LEASE_MARGIN_MS
    const holders = leases.size
    if (lease.outstanding === 0) leases.delete(holder)
    return { id: lease.id, granted: lease.granted, level: bucket.tokens, holders }
  }

  /** Begins to note what is taken from each bucket; see `debts`. */
  oweFromNow(): void {
    this.#debts = new Map()
  }

  /** What was taken since then, for counters that could not be reached meanwhile. */
  debts(): ReadonlyMap<string, number> {
    return this.#debts ?? new Map()
  }

  /** What a clean end leaves to the next start: the buckets that are not full. Leases on them are spent. */
  levels(): { bucket: string; tokens: number }[] {
    const nowMs = this.#clock.monotonicMs()
    const levels: { bucket: string; tokens: number }[] = []
    for (const [name, { bucket, limit }] of this.#entries) {
      if (isFull(bucket, limit, nowMs)) continue
      refill(bucket, limit, nowMs)
      levels.push({ bucket: name, tokens: bucket.tokens })
    }
    return levels
  }

  /** The other end of `levels`: `agoMs` later, by a clock that may have jumped. What is not among them was full. */
  restore(levels: readonly { bucket: string; tokens: number }[], agoMs: number): void {
    const nowMs = this.#clock.monotonicMs()
    for (const { bucket, tokens } of levels)
      this.#entries.set(bucket, {
        bucket: { tokens, atMs: nowMs - Math.max(0, agoMs) },
        limit: UNKNOWN,
      })
    this.#sinceMs = Number.NEGATIVE_INFINITY
  }

  #owe(bucket: string, cost: number): void {
    if (this.#debts && (this.#debts.has(bucket) || this.#debts.size < this.#most))
      this.#debts.set(bucket, (this.#debts.get(bucket) ?? 0) + cost)
  }

  #bucket({ bucket: name, limit: whole, rsn }: BoundRate, nowMs: number): Bucket {
    const known = this.#entries.get(name)
    if (known && known.limit === whole && this.#share === 1) {
      refill(known.bucket, whole, nowMs)
      return known.bucket
    }
    const limit = this.#shareOf(whole)
    if (known) {
      known.limit = whole
      refill(known.bucket, limit, nowMs)
      return known.bucket
    }
    if (this.#entries.size >= this.#most) this.#forgetSome(nowMs)
    const bucket: Bucket =
      rsn >= this.#sinceRsn
        ? { tokens: limit.burst, atMs: nowMs }
        : forgottenBucket(limit, this.#sinceMs, nowMs)
    this.#entries.set(name, { bucket, limit: whole })
    return bucket
  }

  #shareOf(limit: RateLimit): RateLimit {
    if (this.#share === 1) return limit
    return { ...limit, limit: limit.limit * this.#share, burst: limit.burst * this.#share }
  }

  /** Full ones, which are as good as forgotten; then the oldest half, and with it what memory was good for. */
  #forgetSome(nowMs: number): void {
    for (const [name, { bucket, limit }] of this.#entries)
      if (isFull(bucket, this.#shareOf(limit), nowMs)) this.#entries.delete(name)
    if (this.#entries.size <= this.#most / 2) return
    let left = this.#entries.size - Math.floor(this.#most / 2)
    for (const name of this.#entries.keys()) {
      if (left-- <= 0) break
      this.#entries.delete(name)
    }
    this.#sinceMs = nowMs
    this.#sinceRsn = Number.POSITIVE_INFINITY
  }
}

/** Of a bucket from before a restart, until the first request says which limit it is. It is never full. */
const UNKNOWN: RateLimit = {
  type: 'rate',
  name: '',
  limit: 0,
  windowSeconds: 1,
  burst: Number.POSITIVE_INFINITY,
  enforcement: 'strict',
}
