/**
 * A read that is built and compiled once for each database, for the few that stand in a hot path: building and compiling a
 * small query costs more than SQLite takes to answer it.
 */
import type { Compilable, CompiledQuery, Kysely } from 'kysely'
import type { Storage } from './storage.ts'

/** `build` gets its parameters as they will be given: only their number and order count. */
export function preparedRead<Tables, Row, P extends readonly unknown[]>(
  parameters: P,
  build: (db: Kysely<Tables>, ...parameters: P) => Compilable<Row>,
): (db: ReturnType<Storage['read']>, ...parameters: P) => Promise<Row | undefined> {
  const compiled = new WeakMap<object, CompiledQuery<Row>>()
  return async (db, ...given) => {
    let query = compiled.get(db)
    if (!query) {
      query = build(db as Kysely<Tables>, ...parameters).compile()
      if (query.parameters.length !== parameters.length)
        throw new Error(
          'A prepared read has just the parameters that it is given; write others into its text.',
        )
      compiled.set(db, query)
    }
    return (await db.executeQuery<Row>({ ...query, parameters: given })).rows[0]
  }
}
