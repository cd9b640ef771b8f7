/** leaks: keys in public, found and reported. */
import { Option } from 'commander'
import type { Cli, Define } from '../cli.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import type { WireLeak } from '../wire.ts'
import { defineReport } from './report.ts'
import { defineScan } from './scan.ts'

interface FilterOptions extends ListOptions {
  readonly tenant?: string
  readonly resource?: string
  readonly key?: string
  readonly reporter?: string
}

export const define: Define = (command, cli) => {
  defineScan(command, cli)
  defineReport(command, cli)
  addListOptions(command.command('list').description('List leaks that were reported, newest first.'))
    .option('--tenant <id>', 'of this tenant')
    .option('--resource <uri>', 'of keys of this API')
    .option('--key <id>', 'of this key')
    .addOption(new Option('--reporter <who>', 'reported by').choices(['github', 'gitlab', 'operator']))
    .action(
      cli.action(({ tenant, resource, key, reporter, ...page }: FilterOptions) =>
        printList(cli, '/v1/leaks', { tenant, resource, key, reporter }, page, columns(cli)),
      ),
    )
}

function columns({ out }: Cli): Column<WireLeak>[] {
  return [
    { title: 'AT', cell: ({ at }) => out.time(at) },
    { title: 'KEY', cell: ({ key }) => key },
    { title: 'API', cell: ({ resource }) => resource, cuttable: true },
    { title: 'DONE', cell: ({ action }) => action },
    { title: 'BY', cell: ({ reporter }) => reporter },
    { title: 'WHERE', cell: ({ url }) => url || '-', cuttable: true },
  ]
}
