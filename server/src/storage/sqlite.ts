/**
 * SQLite: one writer thread a process, a read-only connection on the main thread for point reads, and a second thread,
 * started when first needed, for reads that may take long.
 */
import { chmodSync, existsSync } from 'node:fs'
import type { Kysely } from 'kysely'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { Clock } from '../kernel/index.ts'
import { GroupWriter, type WriterConnection } from './group-writer.ts'
import { kyselyOver } from './kysely-dialect.ts'
import type { Storage, StorageTesting } from './storage.ts'
import { type SqlConnection, type SqlResult, StorageUnavailable } from './sql-connection.ts'
import {
  applyPragmas,
  BUSY_TIMEOUT_MS,
  openStatement,
  sqliteError,
  type StatementCache,
} from './sqlite-statements.ts'
import type { ThreadData, ThreadReply, ThreadRequest } from './sqlite-thread.ts'

/** How often the reader asks whether another connection has committed. */
const WATCH_MS = 20

export async function openSqlite(file: string, clock: Clock, testing: StorageTesting = {}): Promise<Storage> {
  const { busyTimeoutMs = BUSY_TIMEOUT_MS, acknowledgeBeforeCommit = false } = testing
  const writerThread = new SqliteThread({ file, readOnly: false, busyTimeoutMs })
  // The writer makes a new database. Otherwise its thread starts with the first change: an idle process has none.
  if (!existsSync(file)) await writerThread.execute('SELECT 1', [])
  chmodSync(file, 0o600)
  const reader = openReader(file)
  let scanThread: SqliteThread | undefined

  const writer = new GroupWriter({
    dialect: 'sqlite',
    clock,
    begin: 'BEGIN IMMEDIATE',
    connect: async () => writerThread.connection(),
    acknowledgeBeforeCommit,
  })

  const read = kyselyOver('sqlite', reader)
  const scan = kyselyOver('sqlite', {
    execute: (sql, parameters) =>
      (scanThread ??= new SqliteThread({ file, readOnly: true, busyTimeoutMs })).execute(sql, parameters),
  })

  const listeners = new Set<() => void>()
  let version = reader.dataVersion()
  // A disk that fails here shows in the feed's age, and must not end the process.
  const versionNow = (): number => {
    try {
      return reader.dataVersion()
    } catch {
      return version
    }
  }
  const watcher = setInterval(() => {
    const now = versionNow()
    if (now === version) return
    version = now
    for (const listener of listeners) listener()
  }, WATCH_MS)
  watcher.unref()

  return {
    dialect: 'sqlite',
    read: <Tables>() => read as Kysely<Tables>,
    scan: <Tables>() => scan as Kysely<Tables>,
    write: (work) => writer.write(work),
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      clearInterval(watcher)
      await writer.close()
      reader.close()
      await Promise.all([writerThread.close(), scanThread?.close()])
    },
  }
}

interface Reader extends SqlConnection {
  dataVersion(): number
  close(): void
}

function openReader(file: string): Reader {
  const db = new DatabaseSync(file, { readOnly: true })
  applyPragmas(db, true, BUSY_TIMEOUT_MS)
  const cache: StatementCache = new Map()
  const dataVersion = db.prepare('PRAGMA data_version')
  return {
    async execute(sql, parameters) {
      try {
        const statement = openStatement(db, cache, sql)
        return { rows: statement.all(...(parameters as string[])) as Record<string, unknown>[], changes: 0 }
      } catch (error) {
        const { message, errcode } = error as { message: string; errcode?: number }
        throw sqliteError(message, errcode ?? 0)
      }
    },
    dataVersion: () => (dataVersion.get() as { data_version: number }).data_version,
    close: () => db.close(),
  }
}

/** The main thread's end of a SQLite thread. A thread that dies is replaced at the next statement. */
class SqliteThread implements SqlConnection {
  readonly #data: ThreadData
  #worker: Worker | undefined
  #next = 0
  #waiting = new Map<number, PromiseWithResolvers<SqlResult>>()

  constructor(data: ThreadData) {
    this.#data = data
  }

  execute(sql: string, parameters: readonly unknown[]): Promise<SqlResult> {
    const worker = (this.#worker ??= this.#start())
    const waiting = Promise.withResolvers<SqlResult>()
    const request: ThreadRequest = { id: this.#next++, sql, parameters }
    this.#waiting.set(request.id, waiting)
    if (this.#waiting.size === 1) worker.ref()
    worker.postMessage(request)
    return waiting.promise
  }

  /** This very thread's, for a whole transaction: what follows in another thread would be committed by itself. */
  connection(): WriterConnection {
    const worker = (this.#worker ??= this.#start())
    return {
      execute: async (sql, parameters) => {
        if (this.#worker !== worker) throw new StorageUnavailable('The database thread stopped.')
        return this.execute(sql, parameters)
      },
      release: () => {},
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #start(): Worker {
    const worker = new Worker(new URL('./sqlite-thread-entry.js', import.meta.url), {
      workerData: this.#data,
      execArgv: [],
    })
    worker.unref()
    worker.on('message', (reply: ThreadReply) => this.#settle(reply))
    worker.on('error', (error) => this.#fail(worker, error))
    worker.on('exit', (code) => this.#fail(worker, new Error(`The SQLite thread ended with code ${code}.`)))
    return worker
  }

  #settle(reply: ThreadReply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (this.#waiting.size === 0) this.#worker?.unref()
    if ('message' in reply) waiting?.reject(sqliteError(reply.message, reply.errcode))
    else waiting?.resolve(reply)
  }

  /** An error is followed by the exit: by then another thread may be at work, which has nothing to do with it. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) one.reject(new StorageUnavailable('The database thread stopped.', error))
  }
}
