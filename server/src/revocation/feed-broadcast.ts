/**
 * Hands what this process reads of the feed to everyone who follows it, at the moment it is read, and a heartbeat every
 * second: one timer for the process, and one text for all who see the same.
 */
import type { Clock } from '../kernel/index.ts'
import { type FeedReader, OLDEST_READING_MS } from './feed-reader.ts'
import { type Beat, beatOf, RowBatch } from './feed-wire.ts'

/** A stream, or a poll that waits. Nothing here may throw. */
export interface Follower {
  rows(batch: RowBatch): void
  /** At once after rows, and every second. */
  beat(beat: Beat): void
  keysChanged(): void
  /** What the follower knows no longer leads to what is: it takes a snapshot. */
  reset(epoch: string, head: number): void
  /** The server ends. */
  close(): void
}

const BEAT_MS = 1_000

export interface BroadcastPorts {
  readonly feed: FeedReader
  readonly clock: Clock
  readonly keys: { onChange(listener: () => void): () => void }
  /** Called before the followers hear of it, with each heartbeat and after each batch of rows. */
  onTick(): void
}

export class FeedBroadcast {
  readonly #ports: BroadcastPorts
  readonly #followers = new Set<Follower>()
  readonly #stops: (() => void)[]
  #timer: NodeJS.Timeout | undefined
  /** Rows have been handed on since the last heartbeat. */
  #rowsSent = false
  #closed = false

  constructor(ports: BroadcastPorts) {
    this.#ports = ports
    const { feed, keys } = ports
    this.#stops = [
      feed.onRows((rows) => {
        if (this.#followers.size === 0) return
        const batch = new RowBatch(rows)
        this.#rowsSent = true
        for (const follower of this.#followers) follower.rows(batch)
        ports.onTick()
      }),
      feed.onRead(() => {
        if (this.#rowsSent) this.#beat()
      }),
      feed.onReset(() => {
        for (const follower of this.#followers) follower.reset(feed.epoch, feed.position)
      }),
      keys.onChange(() => {
        for (const follower of this.#followers) follower.keysChanged()
      }),
    ]
  }

  get closed(): boolean {
    return this.#closed
  }

  /** From here on it hears every row after the reader's position of this moment. */
  join(follower: Follower): void {
    this.#followers.add(follower)
    this.#timer ??= setInterval(() => {
      this.#ports.onTick()
      this.#beat()
    }, BEAT_MS).unref()
  }

  leave(follower: Follower): void {
    this.#followers.delete(follower)
    if (this.#followers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** What may be promised at this moment; undefined while this node's own reading is too old to promise anything. */
  beatNow(): Beat | undefined {
    const { feed, clock } = this.#ports
    const ageMs = Math.ceil(feed.ageMs())
    if (ageMs > OLDEST_READING_MS) return undefined
    return beatOf({ epoch: feed.epoch, head: feed.position, now: clock.nowMs(), ageMs })
  }

  close(): void {
    this.#closed = true
    for (const stop of this.#stops) stop()
    for (const follower of this.#followers) follower.close()
    this.#followers.clear()
    clearInterval(this.#timer)
  }

  #beat(): void {
    const beat = this.beatNow()
    if (!beat) return
    this.#rowsSent = false
    for (const follower of this.#followers) follower.beat(beat)
  }
}
