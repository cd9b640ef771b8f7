/** root-secret: replaces what everything is sealed under. On the data folder or database itself, while no server runs. */
import type { Command } from 'commander'
import { systemClock } from '../../kernel/index.ts'
import { Changes, FeedPublisher } from '../../revocation/index.ts'
import {
  adoptRootSecret,
  newRootSecret,
  openRootSecret,
  prepareRootSecret,
  rootSecretFile,
} from '../../root-secret.ts'
import { resealAll } from '../../rotate-root-secret.ts'
import { openStorage } from '../../storage/index.ts'
import type { Cli } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import { readSecret } from '../input/read-secret.ts'
import { requireOwnFolder, requireSchema } from '../local-checks.ts'
import { localConfig, requireLocal } from '../target.ts'

export function define(command: Command, cli: Cli): void {
  command
    .command('rotate')
    .description(
      'Seal everything anew under another root secret, all or nothing. Stop every server first, and make a backup.',
    )
    .option('--yes', 'do not ask')
    .action(cli.action(({ yes }: { yes?: boolean }) => rotate(cli, yes)))
}

async function rotate(cli: Cli, yes: boolean | undefined): Promise<void> {
  requireLocal(cli, 'root-secret rotate')
  const config = localConfig(cli)
  requireOwnFolder(config)
  await requireSchema(config)
  const file = rootSecretFile(config.rootSecret, config.dataDir)
  const before = openRootSecret(config.rootSecret, config.dataDir)
  await confirm(cli.io, 'A server that still runs would go on with the old one.', 'stopped', yes)
  // Where the configuration gives it, it gives the next one, too: nobody but its owner could put it back there.
  const after =
    file === undefined ? await readSecret(cli.io, 'New root secret (not shown): ') : newRootSecret()
  if (file !== undefined) prepareRootSecret(file, after)
  const changes = new Changes(systemClock, new FeedPublisher(systemClock, async () => {}))
  const storage = await openStorage(config, systemClock)
  try {
    const sealed = await resealAll(storage, changes, before, after)
    if (file !== undefined) adoptRootSecret(file)
    if (cli.out.isJson) return await cli.out.json({ sealed })
    const what = Object.entries(sealed).map(([name, count]) => `${count} ${name.replaceAll('_', ' ')}`)
    await cli.out.note(`Sealed anew: ${what.join(', ')}.`)
    await cli.out.note(
      file === undefined
        ? 'Put the new secret into POSTERN_ROOT_SECRET (or its file) before anything is started.'
        : `The new secret is in ${file}. Backups from before need the old one.`,
    )
  } finally {
    await storage.close()
  }
}
