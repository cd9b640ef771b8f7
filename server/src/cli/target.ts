/** Which deployment a command works on: the server of POSTERN_URL, or the one in the data folder. */
import { type Config, loadCliTarget, loadConfig, withoutPassword } from '../config.ts'
import type { Cli } from './cli.ts'
import { CliError, EXIT, usageError } from './errors.ts'
import { requireOwnFolder, requireSchema } from './local-checks.ts'
import type { ApiClient } from './transport/api-client.ts'

export async function openClient(cli: Cli): Promise<ApiClient> {
  const remote = remoteTarget(cli)
  if (remote) {
    const { remoteClient } = await import('./transport/remote-client.ts')
    return remoteClient(remote.url, remote.operatorKey)
  }
  return openLocal(cli)
}

/** Both variables, or neither: half of them would quietly work on another deployment than was meant. */
export function remoteTarget(cli: Cli): { url: string; operatorKey: string } | undefined {
  const { env } = cli.io
  const target = loadCliTarget(env)
  const hasKey = Boolean(env['POSTERN_OPERATOR_KEY'] || env['POSTERN_OPERATOR_KEY_FILE'])
  if (!target && hasKey)
    throw usageError(
      'POSTERN_OPERATOR_KEY is set, but POSTERN_URL is not.',
      'Set POSTERN_URL to the server, or unset the key to work on the data folder.',
    )
  if (!target) return undefined
  if (!target.operatorKey)
    throw usageError(
      'POSTERN_URL is set, but POSTERN_OPERATOR_KEY is not.',
      'Set POSTERN_OPERATOR_KEY (or POSTERN_OPERATOR_KEY_FILE) to an operator key, or unset POSTERN_URL to work on the data folder.',
    )
  if (cli.options.data !== undefined)
    throw usageError(
      '--data names a folder here, but POSTERN_URL is set.',
      'Unset POSTERN_URL to work on the folder.',
    )
  return { url: target.url, operatorKey: target.operatorKey }
}

/** On the data folder, whatever POSTERN_URL says: the caller has refused it already. */
export async function openLocal(cli: Cli): Promise<ApiClient> {
  const config = localConfig(cli)
  requireOwnFolder(config)
  await requireSchema(config)
  const { localClient } = await import('./transport/local-client.ts')
  return localClient(await cli.deps.openDeployment(config), placeOf(config))
}

/** The server's own configuration, but quiet (what opens the deployment logs elsewhere), and without limits: whoever can read the folder needs no door. */
export function localConfig(cli: Cli): Config {
  const { data, config } = cli.options
  return loadConfig(
    cli.io.env,
    {
      ...(data === undefined ? {} : { data }),
      ...(config === undefined ? {} : { config }),
      log_level: 'silent',
      address_rate: 0,
      credential_rate: 0,
    },
    false,
  )
}

/** For work on the database itself, which no server can be asked to do. */
export function requireLocal(cli: Cli, what: string): void {
  if (remoteTarget(cli))
    throw new CliError(
      EXIT.usage,
      `${what} works on the data folder or database itself, but POSTERN_URL is set.`,
      {
        hint: 'Run it on the machine of the server, without POSTERN_URL.',
      },
    )
}

export function placeOf(config: Config): string {
  return config.databaseUrl === undefined ? config.dataDir : withoutPassword(config.databaseUrl)
}
