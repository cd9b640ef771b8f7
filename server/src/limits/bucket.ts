/**
 * The bucket that a rate is counted in. It refills steadily and, with what is leased out of it, never holds more than
 * its burst: any window w admits at most burst + rate · w, however long it idled and wherever the window begins. The
 * script in valkey-script.ts says the same in Lua.
 */
import { perMs, type RateLimit } from './limit.ts'

export interface Bucket {
  tokens: number
  /** Milliseconds, of whichever clock the counters use. */
  atMs: number
  /** By holder; absent while nothing is leased. */
  leases?: Map<string, Lease>
}

/** What a verifier holds of a bucket. */
export interface Lease {
  readonly id: string
  granted: number
  returned: number
  /** As far as is known: granted, and neither spent nor returned. */
  outstanding: number
  endsAtMs: number
}

/** Counted by the holder, from sending its request. */
export const LEASE_MS = 1_000
/** On top, at the server: the longest that a request may be under way. */
export const LEASE_MARGIN_MS = 250

/**
 * A bucket that nobody remembers holds what has refilled since memory began (`sinceMs`): it may have been spent just
 * before, and leases on it may still be out. So it begins as far below empty as refills while a lease lasts.
 */
export function forgottenBucket(limit: RateLimit, sinceMs: number, nowMs: number): Bucket {
  const refilled = (nowMs - sinceMs - LEASE_MS - LEASE_MARGIN_MS) * perMs(limit)
  return { tokens: Math.min(limit.burst, refilled), atMs: nowMs }
}

export function refill(bucket: Bucket, limit: RateLimit, nowMs: number): void {
  const passedMs = Math.max(0, nowMs - bucket.atMs)
  bucket.tokens += passedMs * perMs(limit)
  bucket.atMs = Math.max(bucket.atMs, nowMs)
  let out = 0
  if (bucket.leases) {
    // What is not returned is spent.
    for (const [holder, lease] of bucket.leases)
      if (lease.endsAtMs <= nowMs) bucket.leases.delete(holder)
      else out += lease.outstanding
    if (bucket.leases.size === 0) delete bucket.leases
  }
  bucket.tokens = Math.min(bucket.tokens, limit.burst - out)
}

export function isFull(bucket: Bucket, limit: RateLimit, nowMs: number): boolean {
  return bucket.leases === undefined && bucket.tokens + (nowMs - bucket.atMs) * perMs(limit) >= limit.burst
}

/** Milliseconds until there is enough for `cost`; undefined: never, as it is more than the burst. */
export function waitMs(tokens: number, limit: RateLimit, cost: number): number | undefined {
  if (cost > limit.burst) return undefined
  return Math.max(0, (cost - tokens) / perMs(limit))
}
