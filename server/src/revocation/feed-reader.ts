/**
 * Keeps one process current: reads every row of the feed in order, remembers what it touched, and knows how old its
 * own reading is. A process that cannot read the primary does not vouch for what it has cached.
 */
import type { Clock } from '../kernel/index.ts'
import { type Storage, StorageUnavailable } from '../storage/index.ts'
import { type FeedRow, feedRef } from './feed-row.ts'
import { RecentTouches } from './recent-touches.ts'
import { noteTimeline, type PrimaryHead, readFeedHead, readPrimaryHead, readRows } from './store.ts'

/** Beyond this a node answers its own verifies with `unavailable`. */
export const OLDEST_READING_MS = 1_000
const POLL_MS = 250
const PAGE = 1_000

export type FeedListener = (rows: readonly FeedRow[]) => void

/** Told of what only a restored or replaced database does. It acts in its own time; until then nothing is vouched for. */
export interface ReaderGuard {
  timelineChanged(timeline: string): Promise<unknown>
  headBehind(seen: number): Promise<unknown>
}

export class FeedReader {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #listeners = new Set<FeedListener>()
  readonly #resets = new Set<() => void>()
  readonly #readings = new Set<() => void>()
  readonly #touches = new RecentTouches(0)
  #position = 0
  #epoch = ''
  #readAtMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #again = false
  #stop: (() => void)[] = []

  /** Whether the database tells its timeline. */
  #tellsTimeline = false
  readonly #guard: ReaderGuard | undefined

  /** Without a guard a database that went back is taken as it is, by beginning afresh. */
  constructor(storage: Storage, clock: Clock, guard?: ReaderGuard) {
    this.#storage = storage
    this.#clock = clock
    this.#guard = guard
  }

  /** Starts at the head: nothing is cached yet, so nothing before it matters. Throws when the head cannot be read. */
  async start(): Promise<void> {
    if (this.#storage.dialect === 'postgres') await this.#learnTimeline()
    const startedMs = this.#clock.monotonicMs()
    const head = await readFeedHead(this.#storage.read())
    this.#epoch = head.epoch
    this.#position = head.seq
    this.#touches.reset(head.seq)
    this.#readAtMs = startedMs
    const poll = setInterval(() => void this.catchUp(), POLL_MS).unref()
    this.#stop = [() => clearInterval(poll), this.#storage.watch(() => void this.catchUp())]
  }

  async stop(): Promise<void> {
    for (const stop of this.#stop.splice(0)) stop()
    await this.#running
  }

  /** The last row read, and the row before which everything has been seen. */
  get position(): number {
    return this.#position
  }

  get epoch(): string {
    return this.#epoch
  }

  /** How long ago, in milliseconds, the reading began that last reached the head. */
  ageMs(): number {
    return this.#clock.monotonicMs() - this.#readAtMs
  }

  touchedSince(after: number, refs: readonly string[]): boolean {
    return this.#touches.touchedSince(after, refs)
  }

  onRows(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Called when rows may have been missed: whatever is cached must go. */
  onReset(listener: () => void): () => void {
    this.#resets.add(listener)
    return () => this.#resets.delete(listener)
  }

  /** Called after each reading that reached the head, whether it found rows or not. */
  onRead(listener: () => void): () => void {
    this.#readings.add(listener)
    return () => this.#readings.delete(listener)
  }

  /** Reads up to the head. A call during a reading waits for one that begins after it. Never rejects. */
  catchUp(): Promise<void> {
    if (this.#running) {
      this.#again = true
      return this.#running
    }
    this.#running = this.#read()
    return this.#running
  }

  async #read(): Promise<void> {
    do {
      this.#again = false
      const startedMs = this.#clock.monotonicMs()
      try {
        // The head first: rows up to it are all committed, and later ones belong to the next reading.
        const head = await readPrimaryHead(this.#storage.read(), this.#tellsTimeline)
        if (this.#wentBack(head)) break
        if (head.epoch !== this.#epoch || head.seq < this.#position || this.#position < head.resumeFloor)
          this.#reset(head.epoch, head.seq)
        while (this.#position < head.seq) {
          const rows = await readRows(this.#storage.read(), this.#position, PAGE)
          if (!rows) {
            this.#reset(head.epoch, head.seq)
            continue
          }
          this.#apply(rows)
          if (rows.length < PAGE) this.#position = Math.max(this.#position, head.seq)
        }
        this.#readAtMs = startedMs
        for (const listener of this.#readings) listener()
      } catch {
        // The age grows, and verifies are refused once it is too old: nothing else may be assumed.
        this.#again = false
      }
    } while (this.#again)
    // In the same tick as the last look at `again`: no call can fall between the two.
    this.#running = undefined
  }

  /** Not awaited: a change waits for this reading, and what the guard does is one. The next reading looks again. */
  #wentBack({ seq, timeline, timelineNow }: PrimaryHead): boolean {
    const guard = this.#guard
    if (!guard) return false
    const moved = timelineNow !== null && timeline !== null && timeline !== timelineNow
    if (!moved && seq >= this.#position) return false
    // The loss first: the new epoch of the other would hide it.
    const acts =
      seq < this.#position ? guard.headBehind(this.#position) : guard.timelineChanged(timelineNow ?? '')
    acts.catch(() => {})
    return true
  }

  /** A database that will not tell is followed without. */
  async #learnTimeline(): Promise<void> {
    const db = this.#storage.read()
    try {
      const { timeline, timelineNow } = await readPrimaryHead(db, true)
      this.#tellsTimeline = true
      if (timelineNow === null) return
      if (timeline === null) await this.#storage.write((tx) => noteTimeline(tx, timelineNow))
      else if (timeline !== timelineNow) await this.#guard?.timelineChanged(timelineNow)
    } catch (error) {
      if (error instanceof StorageUnavailable) throw error
    }
  }

  #apply(rows: readonly FeedRow[]): void {
    const last = rows.at(-1)
    if (!last) return
    for (const row of rows) this.#touches.note(feedRef(row.kind, row.key), row.seq)
    this.#position = last.seq
    for (const listener of this.#listeners) listener(rows)
  }

  #reset(epoch: string, seq: number): void {
    this.#epoch = epoch
    this.#position = seq
    this.#touches.reset(seq)
    for (const listener of this.#resets) listener()
  }
}
