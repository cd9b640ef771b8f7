/** The machine and the configuration, before anything of the deployment is asked. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Config, ConfigError, isLoopback } from '../../config.ts'
import { systemClock } from '../../kernel/index.ts'
import { openStorage, SQLITE_FILE } from '../../storage/index.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../errors.ts'
import { readSchema, requireOwnFolder } from '../local-checks.ts'
import { localConfig, placeOf } from '../target.ts'
import { checkDisk, checkFileSystem, checkPermissions } from './check-files.ts'
import { fail, type Finding, ok, warn } from './finding.ts'
import { readDatabaseClock } from './store.ts'

/** Of engines in server/package.json. */
const OLDEST_NODE = [24, 15] as const
const MOST_DRIFT_SECONDS = 5

export async function* checkMachine(cli: Cli): AsyncGenerator<Finding> {
  yield checkRuntime(process.versions.node)
  let config: Config
  try {
    config = localConfig(cli)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    yield fail('configuration', error.message, 'docs/configuration.md has every setting.')
    return
  }
  yield ok('configuration', 'The configuration can be read.')
  for (const warning of config.warnings)
    yield warn('configuration', warning, 'docs/configuration.md has every setting.')
  yield* checkAddress(config)

  if (config.databaseUrl === undefined) {
    if (!existsSync(join(config.dataDir, SQLITE_FILE))) {
      yield fail(
        'database',
        `There is no deployment in ${config.dataDir}.`,
        'Start one with `npm start`, or name its folder with --data or POSTERN_DATA.',
      )
      return
    }
    yield* checkOwner(config)
    yield* checkPermissions(config.dataDir, config.rootSecret !== undefined)
    yield checkFileSystem(config.dataDir)
    yield checkDisk(config.dataDir)
  }
  yield* checkDatabase(config, cli.io.nowMs())
}

function checkRuntime(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST_NODE
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor))
    return ok('runtime', `Node ${version} is recent enough.`)
  return fail(
    'runtime',
    `Node ${version} is too old.`,
    '`npm ci` brings the right one; start with `npm start`.',
  )
}

function* checkAddress({ host, issuer, insecure }: Config): Generator<Finding> {
  const { protocol, hostname } = new URL(issuer)
  if (insecure)
    yield warn(
      'https',
      'It runs as insecure: credentials travel in plain text.',
      'Give it an https issuer and a certificate or a proxy, and take --insecure away.',
    )
  else if (protocol === 'https:') yield ok('https', `Callers reach it by https, at ${issuer}.`)
  else yield ok('https', `Plain http, on this machine alone (${issuer}).`)
  if (protocol === 'https:' && isLoopback(hostname) && !isLoopback(host))
    yield warn(
      'issuer',
      `It listens on ${host}, but its issuer is ${issuer}.`,
      'Set POSTERN_ISSUER to the address that callers use.',
    )
}

function* checkOwner(config: Config): Generator<Finding> {
  try {
    requireOwnFolder(config)
    yield ok('owner', 'The data folder is yours.')
  } catch (error) {
    if (!(error instanceof CliError)) throw error
    yield fail('owner', error.message, error.hint ?? '')
  }
}

async function* checkDatabase(config: Config, nowMs: number): AsyncGenerator<Finding> {
  let storage: Awaited<ReturnType<typeof openStorage>>
  try {
    storage = await openStorage(config, systemClock)
  } catch (error) {
    yield fail(
      'database',
      `${placeOf(config)} cannot be opened: ${(error as Error).message}`,
      'Check that it runs, and POSTERN_DATABASE_URL.',
    )
    return
  }
  try {
    const { pending } = await readSchema(storage)
    yield ok('database', `${placeOf(config)} answers.`)
    if (pending.length > 0)
      yield fail(
        'schema',
        `The database lacks ${pending.join(', ')}.`,
        'Make a backup, then run: postern migrate',
      )
    else {
      yield ok('schema', 'The schema is of this version.')
      const { databaseMs, latestChangeMs } = await readDatabaseClock(storage)
      if (databaseMs !== undefined) yield compareClocks(databaseMs - nowMs, 'the database')
      yield compareWithHistory(latestChangeMs, nowMs)
    }
  } catch (error) {
    const hint = error instanceof CliError ? error.hint : undefined
    yield fail(
      'database',
      (error as Error).message,
      hint ?? 'Check that the database runs, and POSTERN_DATABASE_URL.',
    )
  } finally {
    await storage.close()
  }
}

/** A clock that was put back shows against what is dated already. */
export function compareWithHistory(latestChangeMs: number | undefined, nowMs: number): Finding {
  if (latestChangeMs === undefined || latestChangeMs <= nowMs + MOST_DRIFT_SECONDS * 1_000)
    return ok('clock', 'The clock has not been put back.')
  return fail(
    'clock',
    `The latest change is dated ${new Date(latestChangeMs).toISOString()}, which has not come yet: the clock was put back.`,
    'Set the clock right (NTP): keys end at the wrong time until then.',
  )
}

export function compareClocks(differenceMs: number, other: string): Finding {
  const seconds = Math.round(Math.abs(differenceMs) / 1_000)
  if (seconds <= MOST_DRIFT_SECONDS) return ok('clock', `The clock agrees with that of ${other}.`)
  return warn(
    'clock',
    `The clock is ${seconds} s ${differenceMs > 0 ? 'behind' : 'ahead of'} that of ${other}.`,
    'Keep both right by NTP: keys end by them.',
  )
}
