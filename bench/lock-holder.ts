/** Another process that takes SQLite's write lock: for each line (milliseconds) on standard input, once. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'

const db = new DatabaseSync(process.argv[2] as string)
db.exec('PRAGMA busy_timeout = 5000')
for await (const line of createInterface({ input: process.stdin })) {
  db.exec('BEGIN IMMEDIATE')
  process.stdout.write('locked\n')
  await sleep(Number(line))
  db.exec('ROLLBACK')
  process.stdout.write('released\n')
}
