/** From where a reader stopped to where this process is, without a row left out or told twice. */
import type { Storage } from '../storage/index.ts'
import type { FeedReader } from './feed-reader.ts'
import type { FeedRow } from './feed-row.ts'
import { readRows } from './store.ts'

const PAGE = 1_000

export interface Resuming {
  readonly after: number
  /** The epoch that the reader knows, where it says so. */
  readonly epoch: string | undefined
  rows(rows: readonly FeedRow[]): Promise<void> | void
  /** Called in the very tick in which everything up to the position has been handed over: no row falls between. */
  join(): void
  /** The reader has gone away: nothing more is read for it. */
  gone(): boolean
}

/** Answers false when the rows that it lacks are not all there any more: the reader takes a snapshot. */
export async function resume(storage: Storage, feed: FeedReader, resuming: Resuming): Promise<boolean> {
  let at = resuming.after
  // It may have read on a node that was a moment ahead of this one.
  if (at > feed.position) await feed.catchUp()
  if (at > feed.position) return false
  const { epoch } = feed
  if (resuming.epoch !== undefined && resuming.epoch !== epoch) return false
  for (;;) {
    if (feed.epoch !== epoch) return false
    if (resuming.gone()) return true
    const upTo = feed.position
    if (at === upTo) {
      resuming.join()
      return true
    }
    const page = await readRows(storage.scan(), at, PAGE)
    if (!page) return false
    // What is above the position is told by the broadcast, which this reader joins there.
    const rows = page.filter((row) => row.seq <= upTo)
    if (rows.length > 0) await resuming.rows(rows)
    at = rows.length === PAGE ? (rows.at(-1) as FeedRow).seq : upTo
  }
}
