/**
 * Storage: SQLite and Postgres behind one face. Group commit, point reads, long reads, one migration timeline.
 * Only a module's `store.ts` uses it.
 */
export type { EndStep, Transaction } from './group-writer.ts'
export { migrate, MIGRATIONS, schemaState } from './migrate.ts'
export { HINT_CHANNEL } from './hint-channel.ts'
export { type Dialect, RetryableConflict, StorageUnavailable, UniqueViolation } from './sql-connection.ts'
export type { Storage, StorageTesting } from './storage.ts'
export { openStorage, SQLITE_FILE, type StorageLocation } from './open-storage.ts'
export { type Answer, forgetIdempotentAnswers, Idempotency, type IdempotentRequest } from './idempotency.ts'
export { forShare, forUpdate } from './locking.ts'
export { ParsedRows } from './parsed-rows.ts'
export { preparedRead } from './prepared-read.ts'
export { inBatches, RegularFlush } from './regular-flush.ts'
