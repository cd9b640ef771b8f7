/** clients secrets: several may be good at once, so that one is replaced without a gap. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { durationOption, expiryOption } from '../input/options.ts'
import { endOf, type Expiry } from '../input/time.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { AddedClientSecret, WireClient } from '../wire.ts'
import { clientPath } from './path.ts'
import { showClient } from './show.ts'

interface AddOptions {
  readonly expires?: Expiry
  readonly endOthers?: number
  readonly quiet?: boolean
}

export function defineSecrets(clients: Command, cli: Cli): void {
  const command = clients.command('secrets').description('The secrets of a client; up to five at once.')

  command
    .command('add <client>')
    .description('Add a secret, shown once. The others go on.')
    .addOption(expiryOption(cli.io, 'when it ends: 90d, a time, or never (never)'))
    .addOption(durationOption('--end-others <duration>', 'how long the others go on; 0s ends them at once'))
    .option('--quiet', 'print the secret alone, for a pipe')
    .action(cli.action((client: string, options: AddOptions) => add(cli, client, options)))

  command
    .command('revoke <client> <secret>')
    .description('Revoke a secret, by its id.')
    .option('--compromised', 'someone else may have it: end every token and grant of the client, too')
    .action(
      cli.action(async (client: string, secret: string, { compromised }: { compromised?: boolean }) => {
        const path = clientPath(client, 'secrets', secret, 'revoke')
        const body = { compromised: compromised ?? false }
        await showClient(cli, await call<WireClient>(await cli.client(), 'POST', path, { body }))
      }),
    )
}

async function add(cli: Cli, client: string, { expires, endOthers, quiet }: AddOptions): Promise<void> {
  const { out } = cli
  const added = await createOnce<AddedClientSecret>(await cli.client(), clientPath(client, 'secrets'), {
    expires_at: expires && endOf(expires, cli.io.nowMs()),
    end_others_in_seconds: endOthers,
  })
  if (quiet) return out.line(added.client_secret)
  if (out.isJson) return out.json(added)
  await out.card([
    ['id', added.id],
    ['expires', out.time(added.expires_at, 'never')],
  ])
  await printSecret(cli, added.client_secret)
}

/** The only time it can be seen. */
export async function printSecret({ out }: Cli, secret: string): Promise<void> {
  await out.line('')
  await out.line(secret)
  await out.line('')
  await out.note(
    'This is the client secret. It is shown this once and stored nowhere: keep it in a secret store now.',
  )
}
