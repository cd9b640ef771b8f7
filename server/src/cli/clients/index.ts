/** clients: applications that get tokens by OAuth. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { printDone } from '../output/done.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { RegisteredClient, WireClient } from '../wire.ts'
import { clientPath } from './path.ts'
import { defineSecrets, printSecret } from './secrets.ts'
import { addSettings, addUnsettings, settingsOf, type SettingsOptions } from './settings.ts'
import { clientColumns, printClient, showClient } from './show.ts'
import { issuerOf, printWebApplication, webApplication, webSettings } from './web-application.ts'

const KINDS = ['web', 'native', 'browser', 'service']

interface CreateOptions extends SettingsOptions {
  readonly kind?: string
  readonly for?: string
  readonly origin?: string
  readonly tenant?: string
  readonly allTenants?: boolean
  readonly quiet?: boolean
}

export function define(command: Command, cli: Cli): void {
  const patch = async (id: string, body: unknown): Promise<void> =>
    showClient(cli, await call<WireClient>(await cli.client(), 'PATCH', clientPath(id), { body }))

  addListOptions(command.command('list').description('List OAuth clients.'))
    .option('--tenant <id>', 'of this tenant')
    .addOption(new Option('--kind <kind>', 'of this kind').choices(KINDS))
    .action(
      cli.action(({ tenant, kind, ...page }: ListOptions & { tenant?: string; kind?: string }) =>
        printList(cli, '/v1/clients', { tenant, kind }, page, clientColumns(cli)),
      ),
    )

  addSettings(
    command
      .command('create')
      .description('Register a client. Its secret, if it has one, is shown once.')
      .requiredOption('--name <name>', 'what it is called, on the consent page too')
      .addOption(
        new Option(
          '--kind <kind>',
          'web: on a server; native: on a device; browser: in a page; service: no user',
        )
          .choices(KINDS)
          .conflicts('for'),
      )
      .addOption(
        new Option(
          '--for <application>',
          'web: an application that signs its users in with @postern/sdk/web; prints what to copy into it',
        )
          .choices(['web'])
          .conflicts('quiet'),
      )
      .option('--origin <origin>', 'with --for web: where browsers reach it')
      .option('--tenant <id>', 'whose it is (default)')
      .addOption(new Option('--all-tenants', 'for the users of every tenant').conflicts('tenant')),
  )
    .option('--quiet', 'print the secret alone, for a pipe; the id goes to stderr')
    .action(cli.action((options: CreateOptions) => create(cli, options)))

  command
    .command('show <id>')
    .description('Show a client, never its secrets.')
    .action(
      cli.action(async (id: string) =>
        showClient(cli, await call<WireClient>(await cli.client(), 'GET', clientPath(id))),
      ),
    )

  addUnsettings(
    addSettings(
      command
        .command('update <id>')
        .description('Change a client. A list is given whole.')
        .option('--name <name>', 'what it is called'),
    ),
  ).action(
    cli.action(async (id: string, options: SettingsOptions) => {
      const body = settingsOf(options)
      if (Object.keys(body).length === 0)
        throw usageError('Nothing to change.', 'See: postern clients update --help')
      await patch(id, body)
    }),
  )

  command
    .command('disable <id>')
    .description('End every token and grant it was given, for good, and give it none until it is enabled.')
    .action(cli.action((id: string) => patch(id, { disabled: true })))

  command
    .command('enable <id>')
    .description('Let it get new tokens. Those from before stay dead.')
    .action(cli.action((id: string) => patch(id, { disabled: false })))

  command
    .command('delete <id>')
    .description('Delete a client: its tokens, grants and secrets stop working at once, for ever.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const { name } = await call<WireClient>(client, 'GET', clientPath(id))
        await confirm(cli.io, `Everything "${name}" was given stops working at once, for ever.`, id, yes)
        await call(client, 'DELETE', clientPath(id))
        await printDone(cli, { deleted: id }, `Deleted ${id}.`)
      }),
    )

  defineSecrets(command, cli)
}

async function create(cli: Cli, options: CreateOptions): Promise<void> {
  const { out } = cli
  const { tenant, allTenants, quiet } = options
  if (options.kind === undefined && options.for === undefined)
    throw usageError(
      'Say what it is, by --kind, or what it is for, by --for.',
      'See: postern clients create --help',
    )
  const isWebApplication = options.for === 'web'
  if (!isWebApplication && options.origin !== undefined)
    throw usageError('--origin goes with --for web.', 'Scripts of a browser client run at its --cors-origin.')
  if (isWebApplication && !hasSecret(options))
    throw usageError('@postern/sdk/web authenticates with a secret.', 'Leave --auth away.')
  if (quiet && !hasSecret(options))
    throw usageError('--quiet prints the secret alone, and this client has none.', 'Use --json for its id.')
  const client = await cli.client()
  const settings = settingsOf(isWebApplication ? webSettings(options) : options)
  const issuer = isWebApplication ? await issuerOf(client) : ''
  const registered = await createOnce<RegisteredClient>(client, '/v1/clients', {
    ...settings,
    kind: isWebApplication ? 'web' : options.kind,
    tenant: allTenants ? null : tenant,
  })
  const { client_secret: secret } = registered
  if (quiet && secret !== undefined) {
    await out.note(`The client is ${registered.id}.`)
    return out.line(secret)
  }
  const application = isWebApplication
    ? await webApplication(client, registered, { issuer, origin: String(options.origin) })
    : undefined
  if (out.isJson) return out.json(application ? { ...registered, env: application.env } : registered)
  await printClient(cli, registered)
  if (application) return printWebApplication(cli, application)
  if (secret !== undefined) await printSecret(cli, secret)
}

function hasSecret({ kind, auth, for: application }: CreateOptions): boolean {
  return auth === undefined
    ? application === 'web' || kind === 'web' || kind === 'service'
    : auth.startsWith('client_secret')
}
