/** revoke: ends anything, whatever it is. First how far it reaches, then a question, then the work. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { timeOption } from '../input/options.ts'
import { readSecret } from '../input/read-secret.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireRevocation } from '../wire.ts'
import { revokeTargets, type RevokeOptions, type WireTarget } from './revoke-targets.ts'

interface Kind {
  readonly verb: string
  readonly kind: WireTarget['kind']
  /** What stands in the place of `<id>`. */
  readonly id: string
  readonly description: string
  readonly inTenant?: true
}

const KINDS: readonly Kind[] = [
  {
    verb: 'key',
    kind: 'api_key',
    id: 'id',
    description: 'API keys, and the tokens they were exchanged for.',
  },
  { verb: 'session', kind: 'session', id: 'id', description: 'Sessions, and what was allowed in them.' },
  {
    verb: 'grant',
    kind: 'grant',
    id: 'id',
    description: 'What a user allowed an application, on one device.',
  },
  {
    verb: 'client',
    kind: 'client',
    id: 'id',
    description: 'All that an application holds now. It may ask for more.',
  },
  {
    verb: 'subject',
    kind: 'subject',
    id: 'who',
    description: 'Sign a user, or an owner of keys in a tenant, out everywhere.',
    inTenant: true,
  },
  {
    verb: 'actor',
    kind: 'actor',
    id: 'who',
    description: 'All tokens in which an agent acts for somebody.',
    inTenant: true,
  },
  {
    verb: 'tenant',
    kind: 'tenant',
    id: 'id',
    description: 'Everything in a tenant, its operators included.',
  },
  {
    verb: 'proof-key',
    kind: 'proof_key',
    id: 'thumbprint',
    description: 'Every token bound to a key (DPoP), for ever.',
  },
  { verb: 'signing-key', kind: 'signing_key', id: 'id', description: 'Every token that the key signed.' },
]

export function define(command: Command, cli: Cli): void {
  for (const { verb, kind, id, description, inTenant } of KINDS) {
    const defined = addRevokeOptions(command.command(`${verb} <${id}...>`).description(description))
    // A thumbprint in base64url may begin with a dash.
    if (kind === 'proof_key' || kind === 'signing_key') defined.allowUnknownOption()
    if (inTenant) defined.option('--tenant <id>', 'where an external name is meant (the default tenant)')
    defined.action(
      cli.action((ids: string[], options: RevokeOptions & { tenant?: string }) =>
        revokeTargets(
          cli,
          ids.map((one) => ({
            kind,
            id: one,
            ...(options.tenant !== undefined && { tenant: options.tenant }),
          })),
          options,
        ),
      ),
    )
  }

  addRevokeOptions(
    command
      .command('token')
      .argument('[-]', 'the token is read from a prompt or a pipe, never from here')
      .description('One access token: its text from a prompt or a pipe, or its id.'),
  )
    .option('--jti <id>', 'its id (jti), instead of its text')
    .action(
      cli.action(async (input: string | undefined, options: RevokeOptions & { jti?: string }) => {
        if (input !== undefined && input !== '-')
          throw usageError(
            'A token is not taken from the arguments, which others can see.',
            'Pipe it in: … | postern revoke token -, or give its id with --jti.',
          )
        const target: WireTarget =
          options.jti === undefined
            ? { kind: 'token', token: await readSecret(cli.io, 'Token (not shown): ') }
            : { kind: 'token', id: options.jti }
        await revokeTargets(cli, [target], options)
      }),
    )

  addListOptions(command.command('list').description('What was ended, newest first, whichever way.'))
    .option('--kind <kind>', 'only of this kind: api_key, token, session, …')
    .option('--tenant <id>', 'only in this tenant')
    .addOption(timeOption('--since <time>', 'not before: 1d ago', cli.io))
    .action(
      cli.action((options: ListOptions & { kind?: string; tenant?: string; since?: string }) => {
        const { kind, tenant, since } = options
        return printList<WireRevocation>(
          cli,
          '/v1/revocations',
          { kind, tenant, since },
          options,
          columns(cli),
        )
      }),
    )

  command
    .command('show <id>')
    .description('One of them: who did it, when and why.')
    .action(
      cli.action(async (id: string) => {
        const path = `/v1/revocations/${encodeURIComponent(id)}`
        await show(cli, await call<WireRevocation>(await cli.client(), 'GET', path))
      }),
    )
}

function addRevokeOptions(command: Command): Command {
  return command
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'only show how far it reaches')
    .option('--yes', 'do not ask')
}

function columns({ out }: Cli): Column<WireRevocation>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'AT', cell: ({ at }) => out.time(at) },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'TARGET', cell: ({ target }) => target },
    { title: 'REASON', cell: ({ reason }) => reason ?? '-', cuttable: true },
  ]
}

async function show({ out }: Cli, found: WireRevocation): Promise<void> {
  if (out.isJson) return out.json(found)
  await out.card([
    ['id', found.id],
    ['at', out.time(found.at)],
    ['kind', found.kind],
    ['target', found.target],
    ['tenant', found.tenant ?? undefined],
    ['action', found.action],
    ['because', found.reason ?? undefined],
    ['by', found.actor.type === 'system' ? 'system' : `${found.actor.type} ${found.actor.id}`],
  ])
}
