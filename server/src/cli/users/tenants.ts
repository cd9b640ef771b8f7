/** users tenants: which customers a user belongs to, and as what. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { listOption } from '../input/options.ts'
import { printDone } from '../output/done.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireMembership } from '../wire.ts'
import { userPath } from './path.ts'

export function defineTenants(users: Command, cli: Cli): void {
  const command = users.command('tenants').description('The tenants a user is a member of.')

  addListOptions(command.command('list <user>').description('List the tenants of a user.')).action(
    cli.action((user: string, options: ListOptions) =>
      printList(cli, userPath(user, 'tenants'), {}, options, columns(cli)),
    ),
  )

  command
    .command('add <user> <tenant>')
    .description('Make a user a member of a tenant, with exactly these roles.')
    .addOption(listOption('--role <role>', 'a role there; again for more'))
    .action(
      cli.action(async (user: string, tenant: string, { role: roles = [] }: { role?: string[] }) => {
        const path = userPath(user, 'tenants', tenant)
        const membership = await call<WireMembership>(await cli.client(), 'PUT', path, { body: { roles } })
        if (cli.out.isJson) return cli.out.json(membership)
        await cli.out.card([
          ['tenant', membership.tenant],
          ['name', membership.tenant_name],
          ['roles', membership.roles.join(' ') || '(none)'],
          ['since', cli.out.time(membership.created_at)],
        ])
      }),
    )

  command
    .command('remove <user> <tenant>')
    .description('End a membership. Sessions and tokens of the user end at once.')
    .action(
      cli.action(async (user: string, tenant: string) => {
        await call(await cli.client(), 'DELETE', userPath(user, 'tenants', tenant))
        await printDone(cli, { removed: tenant, user }, `Removed ${user} from ${tenant}.`)
      }),
    )
}

function columns({ out }: Cli): Column<WireMembership>[] {
  return [
    { title: 'TENANT', cell: ({ tenant }) => tenant },
    { title: 'NAME', cell: (membership) => membership.tenant_name, cuttable: true },
    { title: 'ROLES', cell: ({ roles }) => roles.join(' ') || '-', cuttable: true },
    { title: 'SINCE', cell: (membership) => out.time(membership.created_at) },
  ]
}
