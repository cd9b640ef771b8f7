/** One connection of either database, as the rest of storage sees it, and what its failures mean. */
import { PosternError } from '../kernel/index.ts'

export type Dialect = 'sqlite' | 'postgres'

export interface SqlResult {
  readonly rows: Record<string, unknown>[]
  /** Rows changed by an INSERT, UPDATE or DELETE. */
  readonly changes: number
}

export interface SqlConnection {
  execute(sql: string, parameters: readonly unknown[]): Promise<SqlResult>
}

/** A statement broke a UNIQUE constraint: the operation decides what that means. Nothing else is undone by it. */
export class UniqueViolation extends Error {
  override name = 'UniqueViolation'
}

/** The transaction lost to another one and may be run again (SQLSTATE 40001, 40P01, 55P03). */
export class RetryableConflict extends Error {
  override name = 'RetryableConflict'
}

/** The database cannot be reached, is locked, or its disk is full. Whole transactions end with it. */
export class StorageUnavailable extends PosternError {
  override name = 'StorageUnavailable'
  constructor(detail: string, cause?: unknown) {
    super('storage_unavailable', detail, { retryAfterSeconds: 1, cause })
  }
}
