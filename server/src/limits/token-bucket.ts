/**
 * Token buckets by name, in this process. A bucket refills steadily and never holds more than its burst, so any window
 * w admits at most burst + rate · w. Bounded: full buckets are forgotten, since a forgotten bucket is a full one.
 */
import type { Clock } from '../kernel/index.ts'

export interface Rate {
  /** Tokens a second; 0: no limit. */
  readonly perSecond: number
  readonly burst: number
}

interface Bucket {
  tokens: number
  atMs: number
}

const MOST_BUCKETS = 100_000

export class TokenBuckets {
  readonly #rate: Rate
  readonly #clock: Clock
  readonly #buckets = new Map<string, Bucket>()

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate
    this.#clock = clock
  }

  /** 0 when a token was taken; otherwise the whole seconds to wait until one is there. */
  take(name: string): number {
    const { perSecond, burst } = this.#rate
    if (perSecond === 0) return 0
    const nowMs = this.#clock.monotonicMs()
    const bucket = this.#buckets.get(name)
    if (!bucket) {
      if (this.#buckets.size >= MOST_BUCKETS) this.#forgetFull(nowMs)
      this.#buckets.set(name, { tokens: burst - 1, atMs: nowMs })
      return 0
    }
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond))
    bucket.tokens--
    return 0
  }

  /** Drops what has refilled; under a flood of new names the oldest half goes, which forgives rather than refuses. */
  #forgetFull(nowMs: number): void {
    const { perSecond, burst } = this.#rate
    for (const [name, bucket] of this.#buckets)
      if (bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond >= burst) this.#buckets.delete(name)
    let left = this.#buckets.size - MOST_BUCKETS / 2
    for (const name of this.#buckets.keys()) {
      if (left-- <= 0) break
      this.#buckets.delete(name)
    }
  }
}
