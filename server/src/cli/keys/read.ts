/** keys list, show, networks, rotation. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { keyHint, statusCell } from '../output/credential.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import type { WireKey, WireNetwork } from '../wire.ts'
import { addFilterOptions, filterOf, type FilterOptions } from './filter-options.ts'
import { keyPath } from './path.ts'

interface RotationState {
  readonly old: {
    readonly id: string
    readonly rotated_at: string | null
    readonly ends_at: string | null
    readonly still_in_use: boolean
    readonly last_used_at: string | null
    readonly networks: readonly WireNetwork[]
  }
  readonly new: { readonly id: string; readonly last_used_at: string | null }
}

export function defineRead(command: Command, cli: Cli): void {
  addListOptions(
    addFilterOptions(command.command('list').description('List keys, oldest first.'), cli.io),
  ).action(
    cli.action(async (options: FilterOptions & ListOptions) => {
      await printList(cli, '/v1/keys', filterOf(options), options, keyColumns(cli))
    }),
  )

  command
    .command('show <id>')
    .description('Show a key, never its secret.')
    .action(
      cli.action(async (id: string) =>
        showKey(cli, await call<WireKey>(await cli.client(), 'GET', keyPath(id))),
      ),
    )

  command
    .command('networks <id>')
    .description('Show where a key was used from: the latest 20 networks.')
    .action(
      cli.action(async (id: string) => {
        const path = keyPath(id, 'networks')
        const answer = await call<{ data: WireNetwork[] }>(await cli.client(), 'GET', path)
        if (cli.out.isJson) return cli.out.json(answer)
        if (answer.data.length === 0) return cli.out.note('It has not been used yet.')
        await cli.out.write(cli.out.table(networkColumns(cli)).lines(answer.data))
      }),
    )

  command
    .command('rotation <id>')
    .description('Show whether the old key of a rotation is still in use, and from where.')
    .action(cli.action((id: string) => showRotation(cli, id)))
}

async function showRotation(cli: Cli, id: string): Promise<void> {
  const { out } = cli
  const state = await call<RotationState>(await cli.client(), 'GET', keyPath(id, 'rotation'))
  if (out.isJson) return out.json(state)
  const { old, new: successor } = state
  await out.card([
    ['old key', old.id],
    ['rotated', out.time(old.rotated_at)],
    ['ends', out.time(old.ends_at, 'never')],
    ['still in use', old.still_in_use ? { text: 'yes', style: 'warn' } : { text: 'no', style: 'good' }],
    ['last used', out.time(old.last_used_at, 'never')],
    ['new key', successor.id],
    ['new one used', out.time(successor.last_used_at, 'not yet')],
  ])
  if (old.networks.length === 0) return
  await out.line('')
  await out.write(out.table(networkColumns(cli)).lines(old.networks))
  await out.note(`The old key was used from ${plural(old.networks.length, 'network')} since the rotation.`)
}

function networkColumns({ out }: Cli): Column<WireNetwork>[] {
  return [
    { title: 'NETWORK', cell: ({ network }) => network },
    { title: 'USES', cell: ({ uses }) => uses.toLocaleString('en'), align: 'right' },
    { title: 'FIRST', cell: (network) => out.time(network.first_seen) },
    { title: 'LAST', cell: (network) => out.time(network.last_seen) },
  ]
}

export function keyColumns({ out }: Cli): Column<WireKey>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'OWNER', cell: ({ owner }) => owner, cuttable: true },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'API', cell: ({ resource }) => resource, cuttable: true },
    { title: 'SCOPES', cell: ({ scopes }) => scopes.join(' ') || '-', cuttable: true },
    { title: 'ENV', cell: ({ environment }) => environment },
    { title: 'STATUS', cell: ({ status }) => statusCell(status) },
    { title: 'EXPIRES', cell: (key) => out.time(key.expires_at, 'never') },
    { title: 'LAST USED', cell: (key) => out.time(key.last_used_at, 'never') },
  ]
}

export async function showKey(cli: Cli, key: WireKey): Promise<void> {
  const { out } = cli
  if (out.isJson) return out.json(key)
  const when = (iso: string | null) => (iso === null ? undefined : out.time(iso))
  await out.card([
    ['id', key.id],
    ['name', key.name],
    ['owner', key.owner],
    ['tenant', key.tenant],
    ['api', key.resource],
    ['scopes', key.scopes.join(' ') || '(none)'],
    ['environment', key.environment],
    ['key', `${keyHint(key, key.prefix)}${key.imported ? ' (imported)' : ''}`],
    ['status', statusCell(key.status)],
    ['addresses', key.ip_allow.length > 0 ? key.ip_allow.join(' ') : undefined],
    ['metadata', Object.keys(key.metadata).length > 0 ? JSON.stringify(key.metadata) : undefined],
    ['created', out.time(key.created_at)],
    ['created by', key.created_by],
    ['not before', when(key.not_before)],
    ['expires', out.time(key.expires_at, 'never')],
    ['disabled', when(key.disabled_at)],
    ['revoked', when(key.revoked_at)],
    ['reason', key.revoked_reason ?? undefined],
    ['rotated', when(key.rotated_at)],
    ['rotated to', key.rotated_to ?? undefined],
    ['rotated from', key.rotated_from ?? undefined],
    ['last used', out.time(key.last_used_at, 'never')],
    ['from', key.last_used_network ?? undefined],
  ])
}
