/** Runs a test on both databases, each time on a fresh one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe } from 'node:test'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { StorageLocation } from '../src/storage/index.ts'
import { type Cluster, startCluster } from './postgres-cluster.ts'

export interface TestDatabase {
  readonly dialect: 'sqlite' | 'postgres'
  readonly location: StorageLocation
  drop(): Promise<void>
}

/** `define` is called once a database kind; `fresh` makes an empty database, dropped after the suite. */
export function onBothDatabases(name: string, define: (fresh: () => Promise<TestDatabase>) => void): void {
  for (const dialect of ['sqlite', 'postgres'] as const) {
    describe(`${name} (${dialect})`, () => {
      const made: TestDatabase[] = []
      define(async () => {
        const database = dialect === 'sqlite' ? freshSqlite() : await freshPostgres()
        made.push(database)
        return database
      })
      // After the suite's own hooks, which let go of the databases.
      after(async () => {
        await Promise.all(made.map((database) => database.drop()))
        if (dialect === 'postgres') await stopPostgres()
      })
    })
  }
}

export function freshSqlite(): TestDatabase {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-test-'))
  return {
    dialect: 'sqlite',
    location: { dataDir },
    drop: async () => rmSync(dataDir, { recursive: true, force: true }),
  }
}

export async function freshPostgres(): Promise<TestDatabase> {
  const base = await clusterUrl()
  const name = `t_${randomBytes(8).toString('hex')}`
  await onCluster(base, `CREATE DATABASE ${name}`)
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-test-'))
  return {
    dialect: 'postgres',
    location: { databaseUrl: `${base}/${name}`, dataDir },
    async drop() {
      await onCluster(base, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

let own: Promise<Cluster> | undefined

/** The run's cluster when the runner made one, else one of this file's own. */
async function clusterUrl(): Promise<string> {
  const shared = process.env['POSTERN_TEST_POSTGRES']
  if (shared !== undefined) return shared
  own ??= startCluster()
  return (await own).url
}

/** Ends the cluster of this file, if it made one: `onBothDatabases` does it by itself. */
export async function stopPostgres(): Promise<void> {
  const cluster = await own
  own = undefined
  await cluster?.stop()
}

async function onCluster(base: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: `${base}/postgres` })
  await client.connect()
  await client.query(statement)
  await client.end()
}
