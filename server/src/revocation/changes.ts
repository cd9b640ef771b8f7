/**
 * One call for every change of state: into the audit chain and, where a verifier may hold something that it ends or
 * alters, into the feed. `feed: null` is written out, so that nobody forgets by leaving it away.
 */
import { type AuditEvent, type Change, recordChange } from '../audit/index.ts'
import type { ChangeMaker, Clock } from '../kernel/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { FeedChange } from './feed-row.ts'
import type { FeedPublisher, Published } from './publish-change.ts'

export interface StateChange extends Change {
  readonly feed: Pick<FeedChange, 'kind' | 'key' | 'effect' | 'reason'> | null
}

/** What somebody who asked for several changes at once wants to know of each. */
export type Noted = (event: AuditEvent, change: StateChange) => void

/** Whoever tells the world outside of a change, in its own transaction. */
export interface Outbox {
  record(tx: Transaction, event: AuditEvent, data: Readonly<Record<string, unknown>>): void
}

export class Changes {
  readonly clock: Clock
  readonly #publisher: FeedPublisher
  readonly #outbox: Outbox | undefined
  readonly #noted: Noted | undefined

  constructor(clock: Clock, publisher: FeedPublisher, outbox?: Outbox, noted?: Noted) {
    this.clock = clock
    this.#publisher = publisher
    this.#outbox = outbox
    this.#noted = noted
  }

  /** The same, telling `noted` of every change that is recorded through it. */
  noting(noted: Noted): Changes {
    return new Changes(this.clock, this.#publisher, this.#outbox, noted)
  }

  record(tx: Transaction, caller: ChangeMaker, change: StateChange): Published | undefined {
    const event = recordChange(tx, this.clock, caller, change)
    this.#outbox?.record(tx, event, change.data ?? {})
    this.#noted?.(event, change)
    return this.publish(tx, caller, change)
  }

  /** The feed alone: for the members of a bulk change that is audited once. */
  publish(tx: Transaction, caller: ChangeMaker, { feed, tenant }: StateChange): Published | undefined {
    return feed === null ? undefined : this.#publisher.publish(tx, { ...feed, tenant, actor: caller.id })
  }
}
