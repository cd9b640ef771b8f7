/** Another process that takes SQLite's write lock and keeps it until it is ended. */
import { DatabaseSync } from 'node:sqlite'

const { file } = JSON.parse(process.argv[2] as string) as { file: string }
const db = new DatabaseSync(file)
db.exec('PRAGMA busy_timeout = 5000')
db.exec('BEGIN IMMEDIATE')
process.stdout.write('locked\n')
setInterval(() => {}, 1_000)
