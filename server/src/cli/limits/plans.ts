/** plans: named sets of limits. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireLimit, WirePlan } from '../wire.ts'
import { limitOption, limitsText } from './limit-text.ts'

interface PlanOptions {
  readonly name?: string
  readonly limit?: WireLimit[]
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List plans.')).action(
    cli.action((options: ListOptions) => printList(cli, '/v1/plans', {}, options, columns(cli))),
  )

  command
    .command('create')
    .description('Create a plan.')
    .requiredOption('--name <name>', 'what a Principal carries: lower case, digits, ._-')
    .addOption(limitOption())
    .action(
      cli.action(async ({ name, limit = [] }: PlanOptions) =>
        show(cli, await createOnce<WirePlan>(await cli.client(), '/v1/plans', { name, limits: limit })),
      ),
    )

  command
    .command('show <plan>')
    .description('Show a plan, by id or name.')
    .action(
      cli.action(async (id: string) => show(cli, await call<WirePlan>(await cli.client(), 'GET', at(id)))),
    )

  command
    .command('update <plan>')
    .description('Change a plan. Whatever has it has its new limits at once.')
    .option('--name <name>', 'what a Principal carries')
    .addOption(limitOption())
    .action(
      cli.action(async (id: string, { name, limit }: PlanOptions) => {
        if (name === undefined && limit === undefined)
          throw usageError('Nothing to change.', 'Give --name or --limit.')
        const body = { ...(name !== undefined && { name }), ...(limit && { limits: limit }) }
        await show(cli, await call<WirePlan>(await cli.client(), 'PATCH', at(id), { body }))
      }),
    )

  command
    .command('delete <plan>')
    .description('Delete a plan that nothing has.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const plan = await call<WirePlan>(client, 'GET', at(id))
        await confirm(cli.io, `The plan "${plan.name}" is deleted.`, plan.name, yes)
        await call(client, 'DELETE', at(plan.id))
        if (cli.out.isJson) await cli.out.json({ deleted: plan.id })
        else await cli.out.note(`Deleted ${plan.id}.`)
      }),
    )
}

function at(id: string): string {
  return `/v1/plans/${encodeURIComponent(id)}`
}

function columns({ out }: Cli): Column<WirePlan>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name },
    { title: 'LIMITS', cell: ({ limits }) => limitsText(limits), cuttable: true },
    { title: 'CHANGED', cell: (plan) => out.time(plan.updated_at) },
  ]
}

async function show({ out }: Cli, plan: WirePlan): Promise<void> {
  if (out.isJson) return out.json(plan)
  await out.card([
    ['id', plan.id],
    ['name', plan.name],
    ['limits', limitsText(plan.limits)],
    ['created', out.time(plan.created_at)],
    ['changed', plan.updated_at === plan.created_at ? undefined : out.time(plan.updated_at)],
  ])
}
