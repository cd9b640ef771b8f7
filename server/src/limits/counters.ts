/** Where rates are counted: in this process, or in Valkey for several. */
import type { BoundRate } from './bound-limit.ts'

export interface Counters {
  /**
   * Takes `cost` from every bucket, or from none when one of them lacks it. Rejects when the counters cannot be
   * reached.
   */
  take(rates: readonly BoundRate[], cost: number): Taken | Promise<Taken>
  /** Extends what a holder has leased; see `LeaseTerms`. */
  lease(rate: BoundRate, terms: LeaseTerms): Leased | Promise<Leased>
}

export interface Taken {
  readonly ok: boolean
  /** What is in each bucket afterwards. */
  readonly levels: readonly number[]
}

/**
 * What a holder says of its lease, each number counted since the lease began: so a message that is lost or comes twice
 * changes nothing.
 */
export interface LeaseTerms {
  readonly holder: string
  /** Undefined: the holder has none. */
  readonly id: string | undefined
  readonly granted: number
  readonly spent: number
  readonly returned: number
  /** How much more it would like. */
  readonly want: number
}

export interface Leased {
  readonly id: string
  /** Since the lease began, with what was added now. */
  readonly granted: number
  /** What is in the bucket afterwards. */
  readonly level: number
  /** How many hold a part of it. */
  readonly holders: number
}
