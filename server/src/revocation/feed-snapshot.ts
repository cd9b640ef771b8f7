/**
 * The rows in force, as the text of a snapshot: read in pages off the event loop, put into words once for all who see the
 * same, and only continued, not made again, for those who ask a moment later.
 */
import type { Clock } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { FeedReader } from './feed-reader.ts'
import { isVisible, snapshotRowText } from './feed-wire.ts'
import { readRowsInForce } from './store.ts'

/** Every row that the audience may see, up to `head`. */
export interface SnapshotRows {
  readonly epoch: string
  readonly head: number
  /** The monotonic clock when the reading began by which `head` was the head. */
  readonly readAtMs: number
  /** Joined they are rows, with a comma between any two. */
  readonly parts: readonly Buffer[]
}

interface Kept extends SnapshotRows {
  readonly madeAtMs: number
}

const PAGE = 1_000
/** Rows whose time is over leave the text when it is made anew. */
const KEEP_MS = 5_000
const MOST_KEPT = 8

export class SnapshotTexts {
  readonly #storage: Storage
  readonly #feed: FeedReader
  readonly #clock: Clock
  readonly #kept = new Map<string | null, Kept>()
  readonly #making = new Map<string | null, Promise<Kept>>()

  constructor(storage: Storage, feed: FeedReader, clock: Clock) {
    this.#storage = storage
    this.#feed = feed
    this.#clock = clock
  }

  /** Up to a head that was the head a moment ago. */
  async rowsFor(tenant: string | null): Promise<SnapshotRows> {
    // The first of many rows takes a while, in which the head moves on: the second only adds what came meanwhile.
    await this.#make(tenant)
    return this.#make(tenant)
  }

  #make(tenant: string | null): Promise<Kept> {
    const running = this.#making.get(tenant)
    if (running) return running
    const made = this.#continue(tenant).finally(() => this.#making.delete(tenant))
    this.#making.set(tenant, made)
    return made
  }

  async #continue(tenant: string | null): Promise<Kept> {
    const [feed, nowMs] = [this.#feed, this.#clock.monotonicMs()]
    const known = this.#kept.get(tenant)
    const { epoch, position: head } = feed
    const readAtMs = nowMs - feed.ageMs()
    const usable = known?.epoch === epoch && known.head <= head && nowMs - known.madeAtMs < KEEP_MS
    const base = usable ? known : { madeAtMs: nowMs, head: 0, parts: [] }
    const parts = [...base.parts]
    for (let after = base.head; after < head;) {
      const page = await readRowsInForce(this.#storage.scan(), {
        after,
        upTo: head,
        nowMs: this.#clock.nowMs(),
        limit: PAGE,
      })
      const text = page
        .filter((row) => isVisible(row, tenant))
        .map(snapshotRowText)
        .join(',')
      if (text !== '') parts.push(Buffer.from(parts.length > 0 ? `,${text}` : text))
      after = page.length === PAGE ? (page.at(-1)?.seq ?? head) : head
    }
    const made = { epoch, head, readAtMs, parts, madeAtMs: base.madeAtMs }
    this.#keep(tenant, made)
    return made
  }

  #keep(tenant: string | null, made: Kept): void {
    this.#kept.delete(tenant)
    this.#kept.set(tenant, made)
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value as string | null)
    setTimeout(() => {
      if (this.#kept.get(tenant) === made) this.#kept.delete(tenant)
    }, KEEP_MS).unref()
  }
}
