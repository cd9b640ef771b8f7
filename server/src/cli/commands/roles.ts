/** roles: named sets of scopes, which members of tenants hold. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { confirm } from '../input/confirm.ts'
import { parsedOption } from '../input/options.ts'
import { printDone } from '../output/done.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireRole } from '../wire.ts'

type ScopesByResource = Record<string, string[]>

export function define(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('List the roles.')
    .action(
      cli.action(async () => {
        const { data } = await call<{ data: WireRole[] }>(await cli.client(), 'GET', '/v1/roles')
        if (cli.out.isJson) return cli.out.json({ data })
        await cli.out.write(cli.out.table<WireRole>(columns()).lines(data))
      }),
    )

  command
    .command('set <name>')
    .description('Make or change a role: exactly these scopes. One that loses any signs out all who hold it.')
    .option('--description <text>', 'for people')
    .addOption(
      parsedOption<ScopesByResource>(
        '--scopes <resource=scopes>',
        'by the id or URI of a resource, comma-separated; again for more',
        gather,
      ),
    )
    .action(
      cli.action(
        async (
          name: string,
          { description, scopes = {} }: { description?: string; scopes?: ScopesByResource },
        ) => {
          const body = { scopes, ...(description !== undefined && { description }) }
          await show(cli, await call<WireRole>(await cli.client(), 'PUT', at(name), { body }))
        },
      ),
    )

  command
    .command('show <name>')
    .description('Show a role.')
    .action(
      cli.action(async (name: string) =>
        show(cli, await call<WireRole>(await cli.client(), 'GET', at(name))),
      ),
    )

  command
    .command('delete <name>')
    .description('Delete a role. Sessions and tokens of all who hold it end at once.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (name: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        await call<WireRole>(client, 'GET', at(name))
        await confirm(cli.io, 'All who hold it are signed out, and it allows nothing any more.', name, yes)
        await call(client, 'DELETE', at(name))
        await printDone(cli, { deleted: name }, `Deleted ${name}.`)
      }),
    )
}

function at(name: string): string {
  return `/v1/roles/${encodeURIComponent(name)}`
}

/** A URI may have an equals sign; a scope's name after the last one is what is meant. */
function gather(text: string, before: ScopesByResource = {}): ScopesByResource {
  const equals = text.lastIndexOf('=')
  if (equals <= 0) throw new Error('Expected a resource, an equals sign and scopes.')
  const scopes = text
    .slice(equals + 1)
    .split(',')
    .filter(Boolean)
  return { ...before, [text.slice(0, equals)]: scopes }
}

function columns(): Column<WireRole>[] {
  return [
    { title: 'ROLE', cell: ({ name }) => name },
    { title: 'DESCRIPTION', cell: ({ description }) => description || '-', cuttable: true },
    { title: 'SCOPES', cell: ({ scopes }) => Object.values(scopes).flat().join(' ') || '-', cuttable: true },
  ]
}

async function show({ out }: Cli, role: WireRole): Promise<void> {
  if (out.isJson) return out.json(role)
  await out.card([
    ['role', role.name],
    ['description', role.description || undefined],
    ...Object.entries(role.scopes).map(([uri, scopes]) => [uri, scopes.join(' ')] as const),
    ['changed', out.time(role.updated_at)],
  ])
}
