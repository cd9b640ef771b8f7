/** What a store may ask of the database, whichever it is. */
import type { Kysely } from 'kysely'
import type { GroupWriterOptions, Transaction } from './group-writer.ts'
import type { Dialect } from './sql-connection.ts'

export interface Storage {
  readonly dialect: Dialect
  /** Point reads by an index, from the primary. On SQLite they run on the calling thread: keep them small. */
  read<Tables>(): Kysely<Tables>
  /** Lists, exports and counts: never on the event loop that answers verifies. */
  scan<Tables>(): Kysely<Tables>
  /**
   * Runs `work` in a transaction and resolves once it is durable (group commit). `work` may run more than once and
   * awaits nothing but its own statements.
   *
   * Rejects with what `work` threw, or with `StorageUnavailable`.
   */
  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Calls `listener` soon after another connection may have committed. A hint: it may be late or missing. */
  watch(listener: () => void): () => void
  close(): Promise<void>
}

export interface StorageTesting extends Pick<GroupWriterOptions, 'acknowledgeBeforeCommit'> {
  /** How long a writer waits for another process's lock on SQLite. */
  readonly busyTimeoutMs?: number
}
