/**
 * The body of a SQLite thread: one connection, statements in, rows out. The driver is synchronous and waits for other
 * processes' locks; here it blocks nobody but itself.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { applyPragmas, openStatement, type StatementCache } from './sqlite-statements.ts'

export interface ThreadData {
  readonly file: string
  readonly readOnly: boolean
  readonly busyTimeoutMs: number
}

export interface ThreadRequest {
  readonly id: number
  readonly sql: string
  readonly parameters: readonly unknown[]
}

export type ThreadReply =
  | { readonly id: number; readonly rows: Record<string, unknown>[]; readonly changes: number }
  | { readonly id: number; readonly message: string; readonly errcode: number }

if (!parentPort) throw new Error('sqlite-thread.ts runs as a worker thread.')
const port = parentPort
const { file, readOnly, busyTimeoutMs } = workerData as ThreadData
const db = new DatabaseSync(file, { readOnly })
applyPragmas(db, readOnly, busyTimeoutMs)
const cache: StatementCache = new Map<string, StatementSync>()

port.on('message', (request: ThreadRequest) => {
  port.postMessage(run(request))
})

function run({ id, sql, parameters }: ThreadRequest): ThreadReply {
  try {
    const statement = openStatement(db, cache, sql)
    const values = parameters as (string | number | null)[]
    if (statement.columns().length > 0)
      return { id, rows: statement.all(...values) as Record<string, unknown>[], changes: 0 }
    return { id, rows: [], changes: Number(statement.run(...values).changes) }
  } catch (error) {
    // A failed COMMIT (full disk) leaves the transaction open: end it, so that the next BEGIN works.
    if (sql === 'COMMIT' && db.isTransaction) db.exec('ROLLBACK')
    const { message, errcode } = error as { message: string; errcode?: number }
    return { id, message, errcode: errcode ?? 0 }
  }
}
