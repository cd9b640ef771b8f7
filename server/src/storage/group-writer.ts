/**
 * Group commit: many small transactions, one durable COMMIT.
 *
 * Jobs run one after another on one connection, each under its own savepoint, while the group is young; then the
 * shared end steps run (audit chain, then the feed's counter, which must be taken last), then COMMIT, and only then is
 * any job's promise resolved. So nothing is acknowledged that a crash could lose, and fifty callers share one flush.
 *
 * A job must be a pure function of the database: it is run again when the transaction loses a conflict, and it must
 * await nothing but its own statements, because the write lock is held meanwhile.
 */
import type { Clock } from '../kernel/index.ts'
import type { Kysely, KyselyPlugin } from 'kysely'
import { type AnyTables, kyselyOver } from './kysely-dialect.ts'
import { type Dialect, RetryableConflict, type SqlConnection, StorageUnavailable } from './sql-connection.ts'

/** Work that a whole group does once, just before COMMIT, in the order of `rank`. */
export interface EndStep<Item> {
  /** Lock order: 0 what is only inserted, 1 the audit head, then the feed's head: 1.5 its epoch, 2 its counter. */
  readonly rank: 0 | 1 | 1.5 | 2
  flush(db: Kysely<AnyTables>, items: readonly Item[], dialect: Dialect): Promise<void>
  /** After COMMIT, before anybody is answered. Failures are ignored: the change is already durable. */
  committed?(items: readonly Item[]): Promise<void> | void
}

export interface Transaction {
  readonly dialect: Dialect
  over<Tables>(): Kysely<Tables>
  /** Hands `item` to an end step; it may be completed by the step (a sequence number, say). */
  atEnd<Item>(step: EndStep<Item>, item: Item): Item
}

export interface WriterConnection extends SqlConnection {
  /** Returns the connection, or drops it when it may be broken. */
  release(broken: boolean): void
}

export interface GroupWriterOptions {
  readonly dialect: Dialect
  readonly clock: Clock
  connect(): Promise<WriterConnection>
  readonly begin: string
  /** Test only: answer before COMMIT, to prove that the crash test notices. */
  readonly acknowledgeBeforeCommit?: boolean
}

interface Job {
  work(tx: Transaction): Promise<unknown>
  resolve(value: unknown): void
  reject(error: unknown): void
  attempts: number
}

interface Finished {
  readonly job: Job
  readonly value: unknown
}

type Ends = Map<EndStep<unknown>, unknown[]>

const LONGEST_QUEUE = 5_000
const LARGEST_GROUP = 256
const OLDEST_GROUP_MS = 20
const MOST_ATTEMPTS = 5

export class GroupWriter {
  readonly #options: GroupWriterOptions
  #queue: Job[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(options: GroupWriterOptions) {
    this.#options = options
  }

  write<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new StorageUnavailable('The server is shutting down.'))
    if (this.#queue.length >= LONGEST_QUEUE)
      return Promise.reject(new StorageUnavailable('Too many changes are waiting to be written.'))
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#queue.push({ work, resolve: resolve as (value: unknown) => void, reject, attempts: 0 })
    this.#running ??= this.#drain()
    return promise
  }

  /** Waits until everything accepted so far is written or refused. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #drain(): Promise<void> {
    try {
      // A tick's worth of callers join the first group instead of queueing behind it.
      await Promise.resolve()
      while (this.#queue.length > 0) await this.#group()
    } finally {
      // In the same tick as the last look at the queue: a job that comes a moment later starts the next drain.
      this.#running = undefined
    }
  }

  async #group(): Promise<void> {
    const connection = await this.#begin()
    if (!connection) return
    const taken: Job[] = []
    const finished: Finished[] = []
    let broken = false
    try {
      const ends: Ends = new Map()
      await this.#runJobs(connection, taken, finished, ends)
      if (finished.length === 0) {
        await connection.execute('ROLLBACK', [])
        return
      }
      await this.#runEnds(connection, ends)
      if (this.#options.acknowledgeBeforeCommit) answer(finished)
      await connection.execute('COMMIT', [])
      await announce(ends)
      answer(finished)
    } catch (error) {
      broken = !(await rolledBack(connection))
      this.#refuse(taken, error)
    } finally {
      connection.release(broken)
    }
  }

  /**
   * A connection in a fresh transaction. One that was idle may have been lost unnoticed, so another is tried, once; then
   * everybody who has waited so long is refused.
   */
  async #begin(): Promise<WriterConnection | undefined> {
    const waiting = this.#queue.length
    for (let attempt = 1; ; attempt++) {
      let connection: WriterConnection | undefined
      try {
        connection = await this.#options.connect()
        await connection.execute(this.#options.begin, [])
        return connection
      } catch (error) {
        connection?.release(true)
        if (connection && attempt === 1 && this.#options.dialect === 'postgres') continue
        for (const job of this.#queue.splice(0, waiting)) job.reject(unavailable(error))
        return undefined
      }
    }
  }

  async #runJobs(
    connection: WriterConnection,
    taken: Job[],
    finished: Finished[],
    ends: Ends,
  ): Promise<void> {
    const startedMs = this.#options.clock.monotonicMs()
    while (this.#queue.length > 0 && taken.length < LARGEST_GROUP) {
      if (taken.length > 0 && this.#options.clock.monotonicMs() - startedMs > OLDEST_GROUP_MS) return
      const job = this.#queue.shift() as Job
      taken.push(job)
      await connection.execute('SAVEPOINT job', [])
      const tx = new JobTransaction(this.#options.dialect, connection)
      try {
        const value = await job.work(tx)
        tx.end()
        await connection.execute('RELEASE SAVEPOINT job', [])
        finished.push({ job, value })
        for (const [step, items] of tx.ends) ends.set(step, [...(ends.get(step) ?? []), ...items])
      } catch (error) {
        tx.end()
        if (error instanceof StorageUnavailable) throw error
        await connection.execute('ROLLBACK TO SAVEPOINT job', [])
        await connection.execute('RELEASE SAVEPOINT job', [])
        taken.splice(taken.indexOf(job), 1)
        this.#refuse([job], error)
      }
    }
  }

  async #runEnds(connection: WriterConnection, ends: Ends): Promise<void> {
    const db = kyselyOver(this.#options.dialect, connection)
    const steps = [...ends.keys()].sort((a, b) => a.rank - b.rank)
    for (const step of steps) await step.flush(db, ends.get(step) ?? [], this.#options.dialect)
  }

  /** Runs conflicts again, refuses the rest. */
  #refuse(jobs: readonly Job[], error: unknown): void {
    for (const job of jobs) {
      job.attempts++
      if (error instanceof RetryableConflict && job.attempts < MOST_ATTEMPTS && !this.#closed)
        this.#queue.push(job)
      else if (error instanceof RetryableConflict)
        job.reject(new StorageUnavailable('The change kept colliding with others.', error))
      else job.reject(error)
    }
  }
}

class JobTransaction implements Transaction {
  readonly dialect: Dialect
  readonly ends: Ends = new Map()
  readonly #db: Kysely<AnyTables>
  #ended = false

  constructor(dialect: Dialect, connection: SqlConnection) {
    this.dialect = dialect
    // A statement that was not awaited would land in somebody else's transaction.
    const guard: KyselyPlugin = {
      transformQuery: (args) => {
        if (this.#ended) throw new Error('A statement was issued after its transaction had ended.')
        return args.node
      },
      transformResult: async (args) => args.result,
    }
    this.#db = kyselyOver(dialect, connection).withPlugin(guard)
  }

  over<Tables>(): Kysely<Tables> {
    return this.#db as unknown as Kysely<Tables>
  }

  atEnd<Item>(step: EndStep<Item>, item: Item): Item {
    const items = this.ends.get(step as EndStep<unknown>)
    if (items) items.push(item)
    else this.ends.set(step as EndStep<unknown>, [item])
    return item
  }

  end(): void {
    this.#ended = true
  }
}

function answer(finished: readonly Finished[]): void {
  for (const { job, value } of finished) job.resolve(value)
}

async function announce(ends: Ends): Promise<void> {
  for (const [step, items] of ends) {
    try {
      await step.committed?.(items)
    } catch {
      // The change is durable whatever happens here.
    }
  }
}

async function rolledBack(connection: WriterConnection): Promise<boolean> {
  try {
    await connection.execute('ROLLBACK', [])
    return true
  } catch {
    // SQLite ends the transaction by itself on a full disk; a lost socket ends it with the connection.
    return false
  }
}

function unavailable(error: unknown): unknown {
  return error instanceof StorageUnavailable
    ? error
    : new StorageUnavailable('The database cannot be reached.', error)
}
