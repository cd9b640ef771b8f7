/**
 * The feed: the one order of everything that ends or changes what a verifier may hold. Rows are written in the
 * transaction of their change; a reader keeps each process current. What makes it sound is in docs/revocation.md.
 */
export { Changes, type StateChange } from './changes.ts'
export { FeedReader, OLDEST_READING_MS } from './feed-reader.ts'
export {
  type FeedChange,
  type FeedEffect,
  type FeedKind,
  type FeedRow,
  feedRef,
  isLevel,
  LEVEL_KINDS,
  subjectKey,
  TERMINAL_KINDS,
} from './feed-row.ts'
export { FeedPublisher, type Published } from './publish-change.ts'
export { purgeFeed } from './purge-feed.ts'
export { type FeedRoutes, feedRoutes } from './routes.ts'
export { detectRestore, newEpoch, noteHead, readNotedHead, RestoreGuard } from './restored-database.ts'
export {
  createFeed,
  type FeedHead,
  type FloorTable,
  longestTokenSeconds,
  noteTokenLifetime,
  readFeedHead,
} from './store.ts'
