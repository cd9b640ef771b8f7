/**
 * Valkey's counters with what happens when it is lost: this process's share of each limit, counted here, or nothing at
 * all. Coming back makes no flood: what was admitted meanwhile is taken from Valkey's buckets, and a Valkey that lost
 * its memory begins with empty ones.
 */
import type { Clock } from '../kernel/index.ts'
import type { BoundRate } from './bound-limit.ts'
import type { Counters, Leased, LeaseTerms, Taken } from './counters.ts'
import { LocalCounters } from './local-counters.ts'
import type { ValkeyCounters } from './valkey-counters.ts'

export interface SharedCountersOptions {
  readonly valkey: ValkeyCounters
  readonly clock: Clock
  /** Undefined: closed, nothing that has a limit passes. */
  readonly share: number | undefined
  position(): number
}

/** How long after a failure Valkey is asked again. */
const PAUSE_MS = 500

export class SharedCounters implements Counters {
  readonly #options: SharedCountersOptions
  #alone: LocalCounters | undefined
  #failedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: SharedCountersOptions) {
    this.#options = options
  }

  async take(rates: readonly BoundRate[], cost: number): Promise<Taken> {
    const { valkey, clock } = this.#options
    const paused = clock.monotonicMs() - this.#failedAtMs < PAUSE_MS
    if (valkey.isReady && !paused) {
      if (this.#alone) {
        valkey.owe(this.#alone.debts())
        this.#alone = undefined
      }
      try {
        return await valkey.take(rates, cost)
      } catch (error) {
        this.#failedAtMs = clock.monotonicMs()
        if (this.#options.share === undefined) throw error
      }
    }
    return this.#countAlone().take(rates, cost)
  }

  /** Without Valkey nothing is leased: the holder asks, and is counted here. */
  lease(rate: BoundRate, terms: LeaseTerms): Promise<Leased> {
    return this.#options.valkey.lease(rate, terms)
  }

  #countAlone(): LocalCounters {
    const { clock, share, position } = this.#options
    if (share === undefined) throw new Error('Valkey is lost.')
    if (!this.#alone) {
      this.#alone = new LocalCounters({ clock, sinceRsn: position(), share })
      this.#alone.oweFromNow()
    }
    return this.#alone
  }
}
