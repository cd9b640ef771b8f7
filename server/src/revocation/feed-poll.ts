/** One follower by long poll: answers at once when there is something to tell, else when there is or its time is over. */
import type { DenialCode } from '../kernel/index.ts'
import type { Follower } from './feed-broadcast.ts'
import type { FeedRow } from './feed-row.ts'
import { type Beat, RowBatch } from './feed-wire.ts'

/** A gap with more in it is no gap to fill: the snapshot is smaller, for it has what is in force alone. */
const MOST_ROWS = 10_000

export type PollOutcome =
  | { readonly kind: 'rows'; readonly texts: readonly string[]; readonly beat: Beat }
  | { readonly kind: 'reset' }
  | { readonly kind: 'ended'; readonly code: DenialCode }
  /** Nothing can be promised: the node's reading is too old, or it is closing. */
  | { readonly kind: 'silent' }

export class FeedPoll implements Follower {
  readonly outcome: Promise<PollOutcome>
  readonly #tenant: string | null
  readonly #beatNow: () => Beat | undefined
  readonly #texts: string[] = []
  readonly #answer: (outcome: PollOutcome) => void
  #joined = false
  #timeIsOver = false
  #answered = false

  constructor(tenant: string | null, beatNow: () => Beat | undefined) {
    this.#tenant = tenant
    this.#beatNow = beatNow
    const { promise, resolve } = Promise.withResolvers<PollOutcome>()
    this.outcome = promise
    this.#answer = resolve
  }

  get answered(): boolean {
    return this.#answered
  }

  earlierRows(rows: readonly FeedRow[]): void {
    this.rows(new RowBatch(rows))
  }

  rows(batch: RowBatch): void {
    this.#texts.push(...batch.texts(this.#tenant))
    if (this.#texts.length > MOST_ROWS) this.#settle({ kind: 'reset' })
  }

  /** Everything up to the position of this moment is here, and what follows will be. */
  joined(): void {
    this.#joined = true
    if (this.#texts.length > 0 || this.#timeIsOver) this.#settleWithRows(this.#beatNow())
  }

  beat(beat: Beat): void {
    if (this.#texts.length > 0) this.#settleWithRows(beat)
  }

  /** The row of the key's change is what answers; the keys themselves are read when the answer is written. */
  keysChanged(): void {}

  reset(): void {
    this.#settle({ kind: 'reset' })
  }

  end(code: DenialCode): void {
    this.#settle({ kind: 'ended', code })
  }

  /** Before it has joined there is no head that could be promised: then it is answered when it has. */
  timeIsOver(): void {
    this.#timeIsOver = true
    if (this.#joined) this.#settleWithRows(this.#beatNow())
  }

  close(): void {
    this.#settle({ kind: 'silent' })
  }

  #settleWithRows(beat: Beat | undefined): void {
    this.#settle(beat ? { kind: 'rows', texts: this.#texts, beat } : { kind: 'silent' })
  }

  #settle(outcome: PollOutcome): void {
    this.#answered = true
    this.#answer(outcome)
  }
}
