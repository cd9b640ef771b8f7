/** migrate: brings the database's schema up to date. The only command that does. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { systemClock } from '../../kernel/index.ts'
import { migrate, openStorage } from '../../storage/index.ts'
import { readSchema, requireOwnFolder } from '../local-checks.ts'
import { Progress } from '../output/progress.ts'
import { localConfig, placeOf, requireLocal } from '../target.ts'

export function define(command: Command, cli: Cli): void {
  command
    .description('Shows which migrations are missing and applies them, all or none. Make a backup first.')
    .option('--check', 'only show; exit code 3 when some are missing')
    .action(
      cli.action(async ({ check }: { check?: boolean }) => {
        requireLocal(cli, 'migrate')
        const config = localConfig(cli)
        requireOwnFolder(config)
        const storage = await openStorage(config, systemClock)
        try {
          const { applied, pending } = await readSchema(storage)
          if (check) {
            await report(cli, { database: placeOf(config), applied, pending, migrated: [] })
            return pending.length > 0 ? 3 : 0
          }
          const migrated = await withSpinner(cli, () => migrate(storage, cli.io.nowMs()))
          return await report(cli, {
            database: placeOf(config),
            applied: [...applied, ...migrated],
            pending: [],
            migrated,
          })
        } finally {
          await storage.close()
        }
      }),
    )
}

interface Report {
  readonly database: string
  readonly applied: readonly string[]
  readonly pending: readonly string[]
  /** Just now. */
  readonly migrated: readonly string[]
}

async function report({ out }: Cli, report: Report): Promise<void> {
  if (out.isJson) return out.json(report)
  const { applied, pending, migrated } = report
  for (const name of applied)
    await out.line(`${out.paint('good', 'applied')}  ${name}${migrated.includes(name) ? '  (just now)' : ''}`)
  for (const name of pending) await out.line(`${out.paint('warn', 'pending')}  ${name}`)
  if (pending.length > 0) await out.note('Make a backup, then run: postern migrate')
  else await out.note(migrated.length > 0 ? 'The database is up to date now.' : 'The database is up to date.')
}

/** A migration cannot say how far it is, only that it is still at work. */
async function withSpinner<T>(cli: Cli, work: () => Promise<T>): Promise<T> {
  const startedMs = cli.io.nowMs()
  const progress = new Progress(cli.io, 'Migrating', (seconds) => `${seconds} s`)
  const timer = setInterval(() => progress.update(Math.round((cli.io.nowMs() - startedMs) / 1_000)), 200)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    progress.end()
  }
}
