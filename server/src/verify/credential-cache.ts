/**
 * Proven credentials by their digest, bounded. An entry says what was true at its position; any row of the feed since
 * then that touches it drops it, so a hit is as current as this process's reading of the feed.
 */
import type { Clock } from '../kernel/index.ts'
import type { FeedReader } from '../revocation/index.ts'
import type { Proven } from './verify.ts'

export interface CachedCredential {
  readonly presented: Proven
  /** The Principal and constraints as text: what a reply is put together from. */
  readonly reply: string
  /** Known to be untouched up to here. */
  position: number
  readonly endsAtMs: number
}

const MOST_ENTRIES = 50_000
/** A hard end whatever the feed says: an entry never lives on one reading of the database for long. */
const LONGEST_MS = 60_000

export class CredentialCache {
  readonly #feed: FeedReader
  readonly #clock: Clock
  readonly #entries = new Map<string, CachedCredential>()

  constructor(feed: FeedReader, clock: Clock) {
    this.#feed = feed
    this.#clock = clock
    feed.onReset(() => this.#entries.clear())
  }

  get size(): number {
    return this.#entries.size
  }

  get(digest: string): CachedCredential | undefined {
    const entry = this.#entries.get(digest)
    if (!entry) return undefined
    if (entry.endsAtMs > this.#clock.monotonicMs() && this.#isUntouched(entry)) return entry
    this.#entries.delete(digest)
    return undefined
  }

  /** `position` was read before the record. A record that was touched since is answered once and not kept. */
  put(digest: string, presented: Proven, reply: string, position: number): CachedCredential {
    const entry = { presented, reply, position, endsAtMs: this.#clock.monotonicMs() + LONGEST_MS }
    if (!this.#isUntouched(entry)) return entry
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value as string)
    this.#entries.set(digest, entry)
    return entry
  }

  #isUntouched(entry: CachedCredential): boolean {
    const { position } = this.#feed
    if (entry.position === position) return true
    if (this.#feed.touchedSince(entry.position, entry.presented.refs)) return false
    entry.position = position
    return true
  }
}
