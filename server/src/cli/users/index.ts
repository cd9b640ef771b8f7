/** users: people who sign in. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { metadataOption } from '../input/options.ts'
import { readNewPassword } from '../input/read-secret.ts'
import { statusCell } from '../output/credential.ts'
import { printDone } from '../output/done.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireUser } from '../wire.ts'
import { userPath } from './path.ts'
import { defineFactors } from './factors.ts'
import { defineImport } from './import.ts'
import { defineTenants } from './tenants.ts'

interface UserOptions {
  readonly username?: string
  readonly email?: string
  readonly emailVerified?: boolean
  readonly name?: string
  readonly metadata?: Record<string, unknown>
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List users.'))
    .option('--tenant <id>', 'members of this tenant')
    .option('--identifier <name>', 'the one with this username or e-mail address')
    .action(
      cli.action((options: ListOptions & { tenant?: string; identifier?: string }) => {
        const { tenant, identifier, ...page } = options
        return printList(cli, '/v1/users', { tenant, identifier }, page, columns(cli))
      }),
    )

  addMembers(command.command('create'))
    .description('Create a user, without a password yet: see users set-password.')
    .action(
      cli.action(async (options: UserOptions) => {
        if (options.username === undefined && options.email === undefined)
          throw usageError('How will the user sign in?', 'Give --username, --email, or both.')
        return show(cli, await createOnce<WireUser>(await cli.client(), '/v1/users', bodyOf(options)))
      }),
    )

  command
    .command('show <id>')
    .description('Show a user.')
    .action(
      cli.action(async (id: string) =>
        show(cli, await call<WireUser>(await cli.client(), 'GET', userPath(id))),
      ),
    )

  addMembers(command.command('update <id>'))
    .description('Change a user.')
    .action(
      cli.action(async (id: string, options: UserOptions) => {
        const body = bodyOf(options)
        if (Object.keys(body).length === 0)
          throw usageError('Nothing to change.', 'See: postern users update --help')
        await show(cli, await call<WireUser>(await cli.client(), 'PATCH', userPath(id), { body }))
      }),
    )

  command
    .command('set-password <id>')
    .description('Set a password, asked for or piped in. Sessions and tokens of the user end at once.')
    .action(
      cli.action(async (id: string) => {
        const client = await cli.client()
        // First, so that nobody thinks of a password for a user who is not there.
        await call<WireUser>(client, 'GET', userPath(id))
        const body = { password: await readNewPassword(cli.io) }
        await show(cli, await call<WireUser>(client, 'POST', userPath(id, 'password'), { body }))
      }),
    )

  for (const [verb, description] of [
    ['disable', 'Refuse a user until enabled again. Sessions and tokens end at once.'],
    ['enable', 'Let a user sign in again. Sessions and tokens from before stay dead.'],
  ] as const)
    command
      .command(`${verb} <id>`)
      .description(description)
      .action(
        cli.action(async (id: string) =>
          show(cli, await call<WireUser>(await cli.client(), 'POST', userPath(id, verb))),
        ),
      )

  command
    .command('sign-out <id>')
    .description('End all sessions and tokens of a user, who can sign in again.')
    .option('--reason <text>', 'for the audit')
    .action(
      cli.action(async (id: string, { reason }: { reason?: string }) => {
        await call(await cli.client(), 'POST', userPath(id, 'sign-out-everywhere'), { body: { reason } })
        await printDone(cli, { signed_out: id }, `Signed out ${id}, everywhere.`)
      }),
    )

  command
    .command('delete <id>')
    .description(
      'Delete a user: everything stops working at once, and what is kept about the person is erased.',
    )
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const user = await call<WireUser>(client, 'GET', userPath(id))
        const who = user.username ?? user.email ?? user.id
        await confirm(cli.io, `What is kept about "${who}" is erased, for ever.`, id, yes)
        await call(client, 'DELETE', userPath(id))
        await printDone(cli, { deleted: id }, `Deleted ${id}.`)
      }),
    )

  defineImport(command, cli)
  defineTenants(command, cli)
  defineFactors(command, cli)
}

function addMembers(command: Command): Command {
  return command
    .option('--username <name>', 'what the user signs in with')
    .option('--email <address>', 'and, or instead')
    .option('--email-verified', 'you vouch for the address')
    .option('--no-email-verified', 'nobody does')
    .option('--name <name>', 'the name, for people')
    .addOption(metadataOption())
}

function bodyOf({ username, email, emailVerified, name, metadata }: UserOptions): Record<string, unknown> {
  const body = { username, email, email_verified: emailVerified, name, metadata }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

function columns({ out }: Cli): Column<WireUser>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'USERNAME', cell: ({ username }) => username ?? '-', cuttable: true },
    { title: 'EMAIL', cell: ({ email }) => email ?? '-', cuttable: true },
    { title: 'NAME', cell: ({ name }) => name || '-', cuttable: true },
    { title: 'STATUS', cell: status },
    { title: 'CREATED', cell: (user) => out.time(user.created_at) },
  ]
}

function status({ disabled }: WireUser) {
  return statusCell(disabled ? 'disabled' : 'active')
}

async function show({ out }: Cli, user: WireUser): Promise<void> {
  if (out.isJson) return out.json(user)
  await out.card([
    ['id', user.id],
    ['username', user.username ?? undefined],
    [
      'email',
      user.email === null || !user.email_verified ? (user.email ?? undefined) : `${user.email} (verified)`,
    ],
    ['name', user.name || undefined],
    ['status', status(user)],
    ['password', user.has_password ? out.time(user.password_set_at) : 'none'],
    ['metadata', Object.keys(user.metadata).length > 0 ? JSON.stringify(user.metadata) : undefined],
    ['created', out.time(user.created_at)],
    ['changed', user.updated_at === user.created_at ? undefined : out.time(user.updated_at)],
  ])
}
