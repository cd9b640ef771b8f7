/** Before the database is opened: whose folder it is, and whether the schema is this version's. */
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { systemClock } from '../kernel/index.ts'
import { openStorage, schemaState, SQLITE_FILE } from '../storage/index.ts'
import { CliError, EXIT } from './errors.ts'

/** Files made by another user would be unreadable to the server afterwards. `uid` is the process's. */
export function requireOwnFolder(config: Config, uid: number | undefined = process.getuid?.()): void {
  if (config.databaseUrl !== undefined || !existsSync(config.dataDir)) return
  const owner = statSync(config.dataDir).uid
  if (uid !== undefined && owner !== uid)
    throw new CliError(
      EXIT.notPermitted,
      `${config.dataDir} belongs to another user (uid ${owner}, you are ${uid}).`,
      {
        hint: `Run it as that user: sudo -u '#${owner}' …`,
        code: 'foreign_folder',
      },
    )
}

export async function requireSchema(config: Config): Promise<void> {
  requireDatabase(config)
  const storage = await openStorage(config, systemClock)
  try {
    const { pending } = await readSchema(storage)
    if (pending.length > 0)
      throw new CliError(EXIT.failed, `The database lacks ${pending.join(', ')}.`, {
        hint: 'Make a backup, then run: postern migrate',
        code: 'migrations_pending',
      })
  } finally {
    await storage.close()
  }
}

/** A command that looks at a folder must not make one. */
export function requireDatabase(config: Config): void {
  if (config.databaseUrl !== undefined || existsSync(join(config.dataDir, SQLITE_FILE))) return
  throw new CliError(EXIT.failed, `There is no deployment in ${config.dataDir}.`, {
    hint: 'Start one with `npm start`, or name its folder with --data or POSTERN_DATA.',
    code: 'no_deployment',
  })
}

/** Throws a CliError when the database is a newer Postern's. */
export async function readSchema(
  storage: Awaited<ReturnType<typeof openStorage>>,
): Promise<{ applied: string[]; pending: string[] }> {
  try {
    return await schemaState(storage)
  } catch (error) {
    if (error instanceof Error && /newer Postern/.test(error.message))
      throw new CliError(EXIT.failed, error.message, { code: 'newer_schema' })
    throw error
  }
}
