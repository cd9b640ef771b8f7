/** usage: which credential was used for what, and which are not used at all. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { listOption, timeOption } from '../input/options.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { ApiRefusal, call } from '../transport/api-client.ts'
import type { WireKeyUsage, WireUsage, WireUsedKey } from '../wire.ts'

const DIMENSIONS = ['credential', 'client', 'tenant', 'resource', 'route', 'result'] as const
type Dimension = (typeof DIMENSIONS)[number]

interface TopOptions extends Partial<Record<Dimension, string>> {
  readonly by?: string[]
  readonly since?: string
  readonly until?: string
  readonly interval?: string
  readonly limit: string
  readonly format?: 'csv' | 'ndjson'
}

export function define(command: Command, cli: Cli): void {
  const top = command
    .command('top')
    .description('Count requests, the most first.')
    .addOption(
      listOption('--by <what>', 'time, credential, client, tenant, resource, route, result; again for more'),
    )
    .addOption(timeOption('--since <time>', 'from then on (7d ago)', cli.io))
    .addOption(timeOption('--until <time>', 'until then (now)', cli.io))
    .addOption(new Option('--interval <grain>', 'how fine time is').choices(['minute', 'hour', 'day']))
    .option('--limit <n>', 'how many', '20')
    .addOption(new Option('--format <format>', 'for a file').choices(['csv', 'ndjson']))
  for (const name of DIMENSIONS) top.option(`--${name} <value>`, `only of this ${name}`)
  top.action(
    cli.action(async ({ by = ['credential'], format, limit, ...asked }: TopOptions) => {
      const query = { ...asked, limit, group_by: by.join(','), format }
      const client = await cli.client()
      if (format) {
        const response = await client.request('GET', '/v1/usage', { query })
        if (response.status !== 200) throw new ApiRefusal(response)
        await cli.out.write(String(response.body))
        return
      }
      const answer = await call<{ data: WireUsage[]; truncated: boolean }>(client, 'GET', '/v1/usage', {
        query,
      })
      if (cli.out.isJson) return cli.out.json(answer)
      if (answer.data.length === 0) return cli.out.note('Nothing there.')
      await cli.out.write(cli.out.table(countColumns(cli, by)).lines(answer.data))
      if (answer.truncated) await cli.out.note('There is more: a higher --limit, or a narrower question.')
    }),
  )

  command
    .command('key <id>')
    .description("Show a key's last requests, and which of its scopes it ever used.")
    .action(
      cli.action(async (id: string) => {
        const path = `/v1/usage/keys/${encodeURIComponent(id)}`
        const usage = await call<WireKeyUsage>(await cli.client(), 'GET', path)
        if (cli.out.isJson) return cli.out.json(usage)
        if (usage.scopes.length > 0) {
          await cli.out.write(cli.out.table(scopeColumns(cli)).lines(usage.scopes))
          await cli.out.line('')
        }
        if (usage.requests.length === 0) return cli.out.note('No requests.')
        await cli.out.write(cli.out.table(requestColumns(cli)).lines(usage.requests))
      }),
    )

  addListOptions(command.command('unused').description('List keys that nobody used.'))
    .addOption(timeOption('--since <time>', 'not since then (90d ago)', cli.io))
    .action(
      cli.action(({ since, ...options }: ListOptions & { since?: string }) =>
        printList(cli, '/v1/usage/unused-keys', { since }, options, keyColumns(cli)),
      ),
    )

  addListOptions(
    command.command('rotated').description('List old keys that are still used after their rotation.'),
  ).action(
    cli.action((options: ListOptions) =>
      printList(cli, '/v1/usage/rotated-keys', {}, options, [
        ...keyColumns(cli),
        { title: 'ROTATED TO', cell: (key: WireUsedKey) => key.rotated_to ?? '-' },
      ]),
    ),
  )
}

function countColumns({ out }: Cli, by: readonly string[]): Column<WireUsage>[] {
  return [
    { title: 'COUNT', cell: ({ count }) => String(count), align: 'right' },
    ...by.map((name): Column<WireUsage> => ({
      title: name.toUpperCase(),
      cell: (row) => {
        if (name === 'time') return out.time(row.start)
        const value = row[name as Dimension]
        return value === undefined || value === '' ? '-' : value
      },
    })),
  ]
}

function scopeColumns({ out }: Cli): Column<WireKeyUsage['scopes'][number]>[] {
  return [
    { title: 'SCOPE', cell: ({ scope }) => scope },
    { title: 'LAST USED', cell: (used) => out.time(used.last_used_at, 'never') },
  ]
}

function requestColumns({ out }: Cli): Column<WireKeyUsage['requests'][number]>[] {
  return [
    { title: 'AT', cell: ({ at }) => out.time(at) },
    { title: 'ROUTE', cell: ({ route }) => route, cuttable: true },
    { title: 'ADDRESS', cell: ({ address }) => address ?? '-' },
    { title: 'RESULT', cell: ({ result }) => ({ text: result, style: result === 'valid' ? 'good' : 'bad' }) },
  ]
}

function keyColumns({ out }: Cli): Column<WireUsedKey>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'OWNER', cell: ({ owner }) => owner, cuttable: true },
    { title: 'LAST USED', cell: (key) => out.time(key.last_used_at, 'never') },
    { title: 'FROM', cell: (key) => key.last_used_network ?? '-' },
  ]
}
