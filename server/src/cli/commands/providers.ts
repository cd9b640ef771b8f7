/** providers: where people may sign in instead of here. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { readSecret } from '../input/read-secret.ts'
import { statusCell } from '../output/credential.ts'
import { printDone } from '../output/done.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireProvider } from '../wire.ts'

const PATH = '/v1/sign-in-providers'

/** What need not be looked up. Microsoft's issuer names one directory: a shared one says whatever each directory says. */
const KNOWN: Readonly<Record<string, { name: string; kind: string; issuer?: string }>> = {
  github: { name: 'GitHub', kind: 'github' },
  google: { name: 'Google', kind: 'oidc', issuer: 'https://accounts.google.com' },
  microsoft: { name: 'Microsoft', kind: 'oidc' },
}

interface CreateOptions {
  readonly like?: string
  readonly directory?: string
  readonly name?: string
  readonly issuer?: string
  readonly clientId: string
}

export function define(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('List the providers.')
    .action(
      cli.action(async () => {
        const answer = await call<{ data: WireProvider[] }>(await cli.client(), 'GET', PATH)
        if (cli.out.isJson) await cli.out.json(answer)
        else if (answer.data.length === 0) await cli.out.note('Nothing there.')
        else await cli.out.write(cli.out.table(columns(cli)).lines(answer.data))
      }),
    )

  command
    .command('create')
    .description('Let people sign in elsewhere. The secret is asked for, or piped in.')
    .addOption(new Option('--like <provider>', 'one that is known').choices(Object.keys(KNOWN)))
    .option('--directory <id>', 'with --like microsoft: the id of your directory (tenant)')
    .option('--issuer <url>', 'or: the issuer of any OpenID provider')
    .option('--name <name>', 'what stands on the button')
    .requiredOption('--client-id <id>', 'what the provider calls us')
    .action(
      cli.action(async (options: CreateOptions) => {
        const body = bodyOf(options)
        const secret = await readSecret(cli.io, 'Client secret (not shown): ')
        const client = await cli.client()
        await show(cli, await createOnce<WireProvider>(client, PATH, { ...body, client_secret: secret }))
      }),
    )

  command
    .command('show <id>')
    .description('Show a provider.')
    .action(
      cli.action(async (id: string) =>
        show(cli, await call<WireProvider>(await cli.client(), 'GET', at(id))),
      ),
    )

  for (const [verb, disabled, description] of [
    ['disable', true, 'Offer it no more. Sessions go on.'],
    ['enable', false, 'Offer it again.'],
  ] as const)
    command
      .command(`${verb} <id>`)
      .description(description)
      .action(
        cli.action(async (id: string) =>
          show(cli, await call<WireProvider>(await cli.client(), 'PATCH', at(id), { body: { disabled } })),
        ),
      )

  command
    .command('set-secret <id>')
    .description('A new client secret, asked for or piped in.')
    .action(
      cli.action(async (id: string) => {
        const body = { client_secret: await readSecret(cli.io, 'Client secret (not shown): ') }
        await show(cli, await call<WireProvider>(await cli.client(), 'PATCH', at(id), { body }))
      }),
    )

  command
    .command('delete <id>')
    .description('Delete a provider, and what people have connected there. Their accounts stay.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const { name } = await call<WireProvider>(client, 'GET', at(id))
        await confirm(cli.io, `Nobody signs in with ${name} any more.`, id, yes)
        await call(client, 'DELETE', at(id))
        await printDone(cli, { deleted: id }, `Deleted ${id}.`)
      }),
    )
}

function bodyOf({ like, directory, issuer, name, clientId }: CreateOptions): Record<string, unknown> {
  const known = like === undefined ? undefined : KNOWN[like]
  if (like === 'microsoft' && directory === undefined && issuer === undefined)
    throw usageError('Which directory?', 'Give --directory, the id that Microsoft calls tenant.')
  const found =
    like === 'microsoft' && directory !== undefined
      ? `https://login.microsoftonline.com/${directory}/v2.0`
      : known?.issuer
  if (!known && issuer === undefined) throw usageError('Which provider?', 'Give --like, or --issuer.')
  if (!known && name === undefined) throw usageError('What is it called?', 'Give --name.')
  return {
    name: name ?? known?.name,
    kind: known?.kind ?? 'oidc',
    issuer: issuer ?? found,
    client_id: clientId,
  }
}

function at(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`
}

function columns({ out }: Cli): Column<WireProvider>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'ISSUER', cell: ({ issuer }) => issuer, cuttable: true },
    { title: 'STATUS', cell: ({ disabled }) => statusCell(disabled ? 'disabled' : 'active') },
    { title: 'CREATED', cell: (provider) => out.time(provider.created_at) },
  ]
}

async function show({ out }: Cli, provider: WireProvider): Promise<void> {
  if (out.isJson) return out.json(provider)
  await out.card([
    ['id', provider.id],
    ['name', provider.name],
    ['issuer', provider.issuer],
    ['client id', provider.client_id],
    ['redirect uri', provider.redirect_uri],
    ['status', statusCell(provider.disabled ? 'disabled' : 'active')],
    ['created', out.time(provider.created_at)],
  ])
}
