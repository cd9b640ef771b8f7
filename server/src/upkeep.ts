/** Work that nobody waits for: sweeping what has expired, in small batches, and noting the feed's head on disk. */
import { purgeDeletedParents } from './api-keys/index.ts'
import type { Clock } from './kernel/index.ts'
import { type FeedReader, purgeFeed } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'

export interface UpkeepPorts {
  readonly storage: Storage
  readonly clock: Clock
  readonly feed: FeedReader
  readonly idempotency: Idempotency
  /** What the parts have to sweep or to rotate. */
  tend(): Promise<void>
  /** Notes the head outside the database, so that one that was put back from a copy is known by it. */
  noteHead(seq: number): void
  warn(message: string, error: unknown): void
}

const SWEEP_MS = 60_000
const NOTE_MS = 1_000

/** Starts both; the answer stops them. Safe to run in several processes at once. */
export function startUpkeep(ports: UpkeepPorts): () => void {
  const { storage, clock, feed, idempotency, tend, noteHead, warn } = ports
  let noted = 0
  const note = (): void => {
    if (feed.position === noted) return
    try {
      noteHead(feed.position)
      noted = feed.position
    } catch (error) {
      warn('the head of the feed could not be noted', error)
    }
  }
  const sweep = async (): Promise<void> => {
    try {
      await purgeFeed(storage, clock)
      await idempotency.purge()
      await purgeDeletedParents(storage)
      await tend()
    } catch (error) {
      warn('upkeep will be tried again in a minute', error)
    }
  }
  const timers = [setInterval(note, NOTE_MS).unref(), setInterval(() => void sweep(), SWEEP_MS).unref()]
  return () => {
    for (const timer of timers) clearInterval(timer)
    note()
  }
}
