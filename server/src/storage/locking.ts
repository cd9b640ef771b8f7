/** Row locks. SQLite's writer already excludes every other one, so they are only said to Postgres. */
import type { SelectQueryBuilder } from 'kysely'
import type { Transaction } from './group-writer.ts'

type Select<DB, TB extends keyof DB, O> = SelectQueryBuilder<DB, TB, O>

/** Locks the selected rows until the transaction ends. Lock entities in the order of their ids. */
export function forUpdate<DB, TB extends keyof DB, O>(
  tx: Transaction,
  query: Select<DB, TB, O>,
): Select<DB, TB, O> {
  return tx.dialect === 'postgres' ? query.forUpdate() : query
}

/** Keeps the selected rows from being changed or deleted until the transaction ends; others may share it. */
export function forShare<DB, TB extends keyof DB, O>(
  tx: Transaction,
  query: Select<DB, TB, O>,
): Select<DB, TB, O> {
  return tx.dialect === 'postgres' ? query.forShare() : query
}
