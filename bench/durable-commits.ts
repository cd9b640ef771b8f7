/**
 * The floor under every durable change: one row, one transaction, one commit that survives a power cut, nothing else.
 * For each line (milliseconds) on standard input: how many a second.
 */
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'

const [kind, where] = process.argv.slice(2) as ['sqlite' | 'postgres', string]

async function openSqlite(): Promise<() => void> {
  const db = new DatabaseSync(where)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = FULL')
  db.exec('CREATE TABLE commits (id INTEGER PRIMARY KEY, text TEXT NOT NULL)')
  const [begin, insert, commit] = [
    'BEGIN IMMEDIATE',
    "INSERT INTO commits (text) VALUES ('one row')",
    'COMMIT',
  ].map((sql) => db.prepare(sql)) as [Statement, Statement, Statement]
  return () => {
    begin.run()
    insert.run()
    commit.run()
  }
}
type Statement = ReturnType<DatabaseSync['prepare']>

async function openPostgres(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: where })
  await client.connect()
  await client.query(
    'CREATE TABLE commits (id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text TEXT NOT NULL)',
  )
  return async () => {
    await client.query('BEGIN')
    await client.query({ name: 'insert', text: "INSERT INTO commits (text) VALUES ('one row')" })
    await client.query('COMMIT')
  }
}

const commitOnce = kind === 'sqlite' ? await openSqlite() : await openPostgres()
for await (const line of createInterface({ input: process.stdin })) {
  const startedMs = performance.now()
  let count = 0
  for (; performance.now() - startedMs < Number(line); count++) await commitOnce()
  process.stdout.write(`${count / ((performance.now() - startedMs) / 1000)}\n`)
}
