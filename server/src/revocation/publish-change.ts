/**
 * Puts a change of state into the feed, in the transaction that makes it. The counter is the last lock that a
 * transaction takes, so the order of commits is the order of numbers, and no reader skips a row.
 */
import type { Clock } from '../kernel/index.ts'
import type { EndStep, Transaction } from '../storage/index.ts'
import type { FeedChange } from './feed-row.ts'
import { appendRows } from './store.ts'

/** A change on its way; `seq` is set once the transaction has committed. */
export interface Published extends FeedChange {
  readonly at: number
  seq: number
}

export class FeedPublisher {
  readonly #clock: Clock
  readonly #step: EndStep<Published>

  /** `committed` is awaited before anybody is answered: this node's own verifies know of the change by then. */
  constructor(clock: Clock, committed: () => Promise<void>) {
    this.#clock = clock
    this.#step = {
      rank: 2,
      flush: (db, items, dialect) => appendRows(db, dialect, items, clock.nowMs()),
      committed,
    }
  }

  publish(tx: Transaction, change: FeedChange): Published {
    return tx.atEnd(this.#step, { ...change, at: this.#clock.nowMs(), seq: 0 })
  }
}
