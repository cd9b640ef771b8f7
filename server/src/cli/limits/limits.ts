/** limits: what one key, owner, client, tenant or resource may do. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import type { WireLimit, WireLimitTarget } from '../wire.ts'
import { limitOption, limitsText } from './limit-text.ts'

interface Target {
  readonly key?: string
  readonly owner?: string
  readonly client?: string
  readonly onTenant?: string
  readonly resource?: string
  /** Of an owner. */
  readonly tenant?: string
}

const KINDS = ['key', 'owner', 'client', 'tenant', 'resource']

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List what has limits.'))
    .addOption(new Option('--on <kind>', 'only these').choices(KINDS))
    .option('--plan <plan>', 'only what has this plan, by id or name')
    .action(
      cli.action(({ on, plan, ...options }: ListOptions & { on?: string; plan?: string }) =>
        printList(cli, '/v1/limits', { on, plan }, options, columns(cli)),
      ),
    )

  addTarget(command.command('set').description('Give it a plan and limits.'))
    .option('--plan <plan>', "a plan, by id or name; '' for none")
    .addOption(limitOption())
    .action(
      cli.action(async ({ plan, limit, ...target }: Target & { plan?: string; limit?: WireLimit[] }) => {
        if (plan === undefined && limit === undefined)
          throw usageError('Nothing to change.', 'Give --plan or --limit.')
        const body = {
          ...(plan !== undefined && { plan: plan === '' ? null : plan }),
          ...(limit && { limits: limit }),
        }
        const request = { body, query: { tenant: target.tenant } }
        await show(cli, await call<WireLimitTarget>(await cli.client(), 'PUT', at(target), request))
      }),
    )

  addTarget(command.command('show').description('Show its plan and limits.')).action(
    cli.action(async (target: Target) =>
      show(
        cli,
        await call<WireLimitTarget>(await cli.client(), 'GET', at(target), {
          query: { tenant: target.tenant },
        }),
      ),
    ),
  )

  addTarget(command.command('clear').description('Take its plan and limits away.')).action(
    cli.action(async (target: Target) => {
      await call(await cli.client(), 'DELETE', at(target), { query: { tenant: target.tenant } })
      if (cli.out.isJson) await cli.out.json({ cleared: true })
      else await cli.out.note('It has no limits now.')
    }),
  )
}

function addTarget(command: Command): Command {
  return command
    .option('--key <id>', 'of a key')
    .option('--owner <owner>', 'of all keys and tokens of an owner, or of a user')
    .option('--client <id>', 'of an OAuth client')
    .option('--on-tenant <id>', 'of a whole tenant')
    .option('--resource <id>', 'of a whole API')
    .option('--tenant <id>', "the owner's tenant (default)")
}

function at({ key, owner, client, onTenant, resource }: Target): string {
  const named = Object.entries({ key, owner, client, tenant: onTenant, resource }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const [only] = named
  if (!only || named.length > 1)
    throw usageError('Whose limits?', 'Give one of --key, --owner, --client, --on-tenant and --resource.')
  return `/v1/limits/${only[0]}/${encodeURIComponent(only[1])}`
}

function columns({ out }: Cli): Column<WireLimitTarget>[] {
  return [
    { title: 'ON', cell: ({ on }) => on },
    { title: 'ID', cell: ({ id }) => id },
    { title: 'PLAN', cell: ({ plan }) => plan ?? '-' },
    { title: 'LIMITS', cell: ({ limits }) => limitsText(limits), cuttable: true },
    { title: 'CHANGED', cell: (target) => out.time(target.updated_at) },
  ]
}

async function show({ out }: Cli, target: WireLimitTarget): Promise<void> {
  if (out.isJson) return out.json(target)
  await out.card([
    [target.on, target.id],
    ['tenant', target.tenant ?? undefined],
    ['plan', target.plan ?? undefined],
    ['limits', limitsText(target.limits)],
    ['changed', out.time(target.updated_at)],
  ])
}
