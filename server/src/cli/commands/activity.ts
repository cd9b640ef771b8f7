/** activity: refusals and other things that changed nothing, counted by minute. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { timeOption } from '../input/options.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import type { WireActivity } from '../wire.ts'

interface FilterOptions extends ListOptions {
  readonly tenant?: string
  readonly code?: string
  readonly kind?: string
  readonly credential?: string
  readonly since?: string
  readonly until?: string
}

export function define(command: Command, cli: Cli): void {
  addListOptions(
    command.command('list').description('List what was refused, newest first; kept for 30 days.'),
  )
    .option('--tenant <id>', 'of this tenant')
    .option('--code <code>', 'such as expired, revoked, exposed_in_url')
    .option('--kind <kind>', 'such as denial, exposed')
    .option('--credential <id>', 'with this key')
    .addOption(timeOption('--since <time>', 'not before', cli.io))
    .addOption(timeOption('--until <time>', 'not after', cli.io))
    .action(
      cli.action(async ({ limit, cursor, all, ...filter }: FilterOptions) => {
        const page = { ...(limit && { limit }), ...(cursor && { cursor }), ...(all && { all }) }
        await printList(cli, '/v1/activity', { ...filter }, page, columns(cli))
      }),
    )
}

function columns({ out }: Cli): Column<WireActivity>[] {
  return [
    { title: 'MINUTE', cell: ({ minute }) => out.time(minute) },
    { title: 'COUNT', cell: ({ count }) => count.toLocaleString('en'), align: 'right' },
    { title: 'CODE', cell: ({ code }) => code },
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'ROUTE', cell: ({ route }) => route, cuttable: true },
    { title: 'NETWORK', cell: ({ network }) => network },
    { title: 'CREDENTIAL', cell: ({ credential }) => credential ?? '-' },
  ]
}
