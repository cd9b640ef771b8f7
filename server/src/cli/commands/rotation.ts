/** rotation: what ends soon, and what is older than it may be. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireAging } from '../wire.ts'

const KINDS = ['api_key', 'operator_key', 'client_secret', 'webhook_secret', 'signing_key']

export function define(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('List what is due to be rotated, or overdue: keys, secrets and signing keys.')
    .addOption(new Option('--kind <kind>', 'of one kind').choices(KINDS))
    .addOption(new Option('--state <state>', 'due or overdue').choices(['due', 'overdue']))
    .action(
      cli.action(async (query: { kind?: string; state?: string }) => {
        const { out } = cli
        const answer = await call<{ data: WireAging[]; truncated: boolean }>(
          await cli.client(),
          'GET',
          '/v1/rotation',
          { query },
        )
        if (out.isJson) return out.json(answer)
        if (answer.data.length === 0) return out.note('Nothing is due.')
        await out.write(out.table(agingColumns(cli)).lines(answer.data))
        if (answer.truncated) await out.note('There is more: --kind and --state narrow it.')
      }),
    )
}

export function agingColumns({ out }: Cli): Column<WireAging>[] {
  return [
    { title: 'KIND', cell: ({ kind }) => kind },
    { title: 'ID', cell: ({ id }) => id },
    { title: 'OF', cell: ({ holder }) => holder, cuttable: true },
    { title: 'API', cell: ({ resource }) => resource ?? '-', cuttable: true },
    { title: 'STATE', cell: ({ state }) => ({ text: state, style: state === 'due' ? 'warn' : 'bad' }) },
    { title: 'MADE', cell: (aging) => out.time(aging.created_at) },
    { title: 'TOO OLD', cell: (aging) => out.time(aging.due_at, 'never') },
    { title: 'ENDS', cell: (aging) => out.time(aging.expires_at, 'never') },
  ]
}
