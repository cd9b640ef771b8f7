/**
 * Postgres: a pool for point reads, one for reads that may take long, one connection of its own for the group writer, one
 * that listens for hints.
 */
import pg from 'pg'
import type { Kysely } from 'kysely'
import type { Clock } from '../kernel/index.ts'
import { GroupWriter } from './group-writer.ts'
import { HINT_CHANNEL } from './hint-channel.ts'
import { kyselyOver } from './kysely-dialect.ts'
import { RetryableConflict, type SqlResult, StorageUnavailable, UniqueViolation } from './sql-connection.ts'
import type { Storage, StorageTesting } from './storage.ts'

const POLL_MS = 250
const RELISTEN_MS = 1_000
// A network that swallows everything tells nobody: only these end the wait. A caller of verify or of the management API
// waits for a point read at first, so that one has to be short of a second.
const CONNECT_TIMEOUT_MS = 800
const POINT_READ_TIMEOUT_MS = 900
const SCAN_TIMEOUT_MS = 10_000
const WRITE_TIMEOUT_MS = 5_000
/** Before the statement ends: a lost lock is tried again. */
const LOCK_TIMEOUT_MS = 4_000

// int8 arrives as a string; every one of ours (microseconds since 1970 the largest) is a safe integer until 2255.
const types = new pg.TypeOverrides()
types.setTypeParser(20, (text: string) => Number(text))

export async function openPostgres(
  url: string,
  clock: Clock,
  testing: StorageTesting = {},
): Promise<Storage> {
  const settings: pg.PoolConfig = {
    connectionString: url,
    types,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'postern',
  }
  const readPool = new pg.Pool({ ...settings, ...limit(POINT_READ_TIMEOUT_MS), max: 8 })
  const scanPool = new pg.Pool({ ...settings, ...limit(SCAN_TIMEOUT_MS), max: 4 })
  const writerPool = new pg.Pool({
    ...settings,
    ...limit(WRITE_TIMEOUT_MS),
    max: 1,
    idleTimeoutMillis: 0,
    lock_timeout: LOCK_TIMEOUT_MS,
  })
  const pools = [readPool, scanPool, writerPool]
  // An idle connection that breaks is replaced at its next use; without a listener it would end the process.
  for (const pool of pools) pool.on('error', () => {})

  const read = kyselyOver('postgres', { execute: (sql, parameters) => run(readPool, sql, parameters) })
  const scan = kyselyOver('postgres', { execute: (sql, parameters) => run(scanPool, sql, parameters) })
  const writer = new GroupWriter({
    dialect: 'postgres',
    clock,
    begin: 'BEGIN ISOLATION LEVEL READ COMMITTED',
    connect: async () => {
      const client = await writerPool.connect().catch((error: unknown) => {
        throw new StorageUnavailable('The database cannot be reached.', error)
      })
      const ignore = (): void => {}
      client.on('error', ignore)
      return {
        execute: (sql, parameters) => run(client, sql, parameters),
        release: (broken) => {
          client.off('error', ignore)
          client.release(broken)
        },
      }
    },
    acknowledgeBeforeCommit: testing.acknowledgeBeforeCommit ?? false,
  })

  const hints = listenForHints(settings)
  return {
    dialect: 'postgres',
    read: <Tables>() => read as Kysely<Tables>,
    scan: <Tables>() => scan as Kysely<Tables>,
    write: (work) => writer.write(work),
    watch: hints.watch,
    async close() {
      await writer.close()
      await hints.close()
      await Promise.all(pools.map((pool) => pool.end()))
    },
  }
}

/** The server gives up by itself; where it cannot be heard, we do, a moment later. */
function limit(timeoutMs: number): pg.PoolConfig {
  return { statement_timeout: timeoutMs, query_timeout: timeoutMs + 100 }
}

async function run(
  target: pg.Pool | pg.PoolClient,
  sql: string,
  parameters: readonly unknown[],
): Promise<SqlResult> {
  try {
    const result = await target.query(sql, parameters as unknown[])
    return { rows: result.rows as Record<string, unknown>[], changes: result.rowCount ?? 0 }
  } catch (error) {
    throw postgresError(error as Error & { code?: string })
  }
}

const RETRYABLE = new Set(['40001', '40P01', '55P03'])
/** Classes of SQLSTATE that mean our statement was wrong, not that the database is away. */
const OUR_FAULT = new Set(['22', '23', '26', '34', '42', '0A', '25', '3B'])

function postgresError(error: Error & { code?: string }): Error {
  const code = error.code ?? ''
  if (code === '23505') return new UniqueViolation(error.message)
  if (RETRYABLE.has(code)) return new RetryableConflict(error.message)
  if (code.length === 5 && OUR_FAULT.has(code.slice(0, 2)))
    return new Error(`Postgres ${code}: ${error.message}`, { cause: error })
  return new StorageUnavailable('The database cannot be reached or written.', error)
}

/** LISTEN on a connection of its own, reconnected while it is lost, with a poll beside it. */
function listenForHints(settings: pg.ClientConfig): { watch: Storage['watch']; close(): Promise<void> } {
  const listeners = new Set<() => void>()
  const hint = (): void => {
    for (const listener of listeners) listener()
  }
  const poll = setInterval(hint, POLL_MS)
  poll.unref()
  let client: pg.Client | undefined
  let again: NodeJS.Timeout | undefined
  let closed = false

  const connect = async (): Promise<void> => {
    const fresh = new pg.Client(settings)
    const lost = (): void => {
      if (closed || client !== fresh) return
      client = undefined
      again = setTimeout(() => void connect(), RELISTEN_MS)
      again.unref()
      fresh.end().catch(() => {})
    }
    fresh.on('error', lost)
    fresh.on('end', lost)
    fresh.on('notification', hint)
    client = fresh
    try {
      await fresh.connect()
      await fresh.query(`LISTEN ${HINT_CHANNEL}`)
    } catch {
      lost()
    }
  }
  void connect()

  return {
    watch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      closed = true
      clearInterval(poll)
      clearTimeout(again)
      await client?.end().catch(() => {})
    },
  }
}
