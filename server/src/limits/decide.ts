/**
 * The decision: all limits of a request, or none. Quotas are charged first, in this process, and get it back when a rate
 * refuses; rates are one question to their counters.
 */
import { denial, type Denial } from '../kernel/index.ts'
import { type BoundLimit, type BoundQuota, type BoundRate, isQuota, isRate } from './bound-limit.ts'
import { waitMs } from './bucket.ts'
import type { Counters, Taken } from './counters.ts'
import { perMs, type RateLimit } from './limit.ts'
import type { Quotas } from './quotas.ts'

export interface LimitState {
  readonly bound: BoundLimit
  /** Whole requests of cost 1 that would pass now. */
  readonly remaining: number
  /** Until it is whole again. */
  readonly resetSeconds: number
}

export interface LimitDecision {
  readonly denial: Denial | undefined
  readonly states: readonly LimitState[]
}

export interface LimitsPorts {
  readonly counters: Counters
  readonly quotas: Quotas
  /** Told when counters cannot be reached and are closed. */
  onFailure?(error: unknown): void
}

/** So many times a request waits for a quota's next block. */
const MOST_TRIES = 5

export class Limits {
  readonly #ports: LimitsPorts

  constructor(ports: LimitsPorts) {
    this.#ports = ports
  }

  /** At once where it can be. Charges `cost` to every limit, or to none. Never rejects. */
  decide(limits: readonly BoundLimit[], cost: number): LimitDecision | Promise<LimitDecision> {
    const quotas = limits.filter(isQuota)
    const rates = limits.filter(isRate)
    if (quotas.length === 0) return this.#takeRates(rates, quotas, cost)
    const waits = this.#ports.quotas.ready(quotas, cost)
    if (waits) return this.#whenReady(waits, rates, quotas, cost)
    return this.#takeAll(rates, quotas, cost)
  }

  async #whenReady(
    waits: Promise<unknown>,
    rates: readonly BoundRate[],
    quotas: readonly BoundQuota[],
    cost: number,
  ): Promise<LimitDecision> {
    try {
      let waiting: Promise<unknown> | undefined = waits
      for (let tries = 0; waiting && tries < MOST_TRIES; tries++) {
        await waiting
        waiting = this.#ports.quotas.ready(quotas, cost)
      }
    } catch (error) {
      return this.#unreachable(error)
    }
    return this.#takeAll(rates, quotas, cost)
  }

  #takeAll(
    rates: readonly BoundRate[],
    quotas: readonly BoundQuota[],
    cost: number,
  ): LimitDecision | Promise<LimitDecision> {
    if (this.#ports.quotas.take(quotas, cost)) return this.#takeRates(rates, quotas, cost)
    const states = quotas.map((quota) => this.#stateOfQuota(quota))
    const refusing = states.filter(({ remaining }) => remaining < cost)
    const waits = (refusing.length > 0 ? refusing : states).map(({ resetSeconds }) => resetSeconds)
    // Something is left, but another process holds it: soon it is spent or given back.
    const retryAfterSeconds = refusing.length > 0 ? Math.max(1, ...waits) : 1
    return { denial: denial('quota_exceeded', { retryAfterSeconds }), states }
  }

  #takeRates(
    rates: readonly BoundRate[],
    quotas: readonly BoundQuota[],
    cost: number,
  ): LimitDecision | Promise<LimitDecision> {
    if (rates.length === 0) return this.#settle({ ok: true, levels: [] }, rates, quotas, cost)
    let taken: Taken | Promise<Taken>
    try {
      taken = this.#ports.counters.take(rates, cost)
    } catch (error) {
      return this.#refund(error, quotas, cost)
    }
    if (!(taken instanceof Promise)) return this.#settle(taken, rates, quotas, cost)
    return taken.then(
      (made) => this.#settle(made, rates, quotas, cost),
      (error: unknown) => this.#refund(error, quotas, cost),
    )
  }

  #settle(
    { ok, levels }: Taken,
    rates: readonly BoundRate[],
    quotas: readonly BoundQuota[],
    cost: number,
  ): LimitDecision {
    if (!ok) this.#ports.quotas.putBack(quotas, cost)
    const states = [
      ...rates.map((bound, index) => stateOfRate(bound, levels[index] ?? 0)),
      ...quotas.map((quota) => this.#stateOfQuota(quota)),
    ]
    if (ok) return { denial: undefined, states }
    let longestMs: number | undefined = 0
    for (const [index, { limit }] of rates.entries()) {
      const wait = waitMs(levels[index] ?? 0, limit, cost)
      // It costs more than the bucket ever holds: no waiting helps.
      longestMs = wait === undefined || longestMs === undefined ? undefined : Math.max(longestMs, wait)
    }
    const more =
      longestMs === undefined ? {} : { retryAfterSeconds: Math.max(1, Math.ceil(longestMs / 1000)) }
    return { denial: denial('rate_limited', more), states }
  }

  #stateOfQuota(quota: BoundQuota): LimitState {
    const { remaining, resetMs } = this.#ports.quotas.state(quota)
    return { bound: quota, remaining, resetSeconds: Math.ceil(resetMs / 1000) }
  }

  #refund(error: unknown, quotas: readonly BoundQuota[], cost: number): LimitDecision {
    this.#ports.quotas.putBack(quotas, cost)
    return this.#unreachable(error)
  }

  #unreachable(error: unknown): LimitDecision {
    this.#ports.onFailure?.(error)
    return { denial: denial('unavailable', { retryAfterSeconds: 1 }), states: [] }
  }
}

function stateOfRate(bound: BoundRate, level: number): LimitState {
  return {
    bound,
    remaining: Math.max(0, Math.floor(level)),
    resetSeconds: Math.ceil(untilFullMs(bound.limit, level) / 1000),
  }
}

function untilFullMs(limit: RateLimit, level: number): number {
  return Math.max(0, (limit.burst - level) / perMs(limit))
}

/** `[{…},…]` as it stands in an answer. */
export function statesText(states: readonly LimitState[]): string {
  return JSON.stringify(
    states.map(({ bound: { bucket, on, limit }, remaining, resetSeconds }) => ({
      name: limit.name,
      on,
      bucket,
      type: limit.type,
      enforcement: limit.enforcement,
      limit: limit.limit,
      ...(limit.type === 'rate'
        ? { window_seconds: limit.windowSeconds, burst: limit.burst }
        : { period: limit.period }),
      remaining,
      reset_seconds: resetSeconds,
    })),
  )
}
