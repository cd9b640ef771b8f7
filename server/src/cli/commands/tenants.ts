/** tenants: customer organizations whose data is kept apart. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { metadataOption } from '../input/options.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireTenant } from '../wire.ts'

interface TenantOptions {
  readonly name?: string
  readonly externalId?: string
  readonly metadata?: Record<string, unknown>
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List tenants.'))
    .option('--external-id <id>', 'the one with this id of yours')
    .action(
      cli.action((options: ListOptions & { externalId?: string }) =>
        printList(cli, '/v1/tenants', { external_id: options.externalId }, options, columns(cli)),
      ),
    )

  command
    .command('create')
    .description('Create a tenant.')
    .requiredOption('--name <name>', 'its name, for people')
    .option('--external-id <id>', 'your own id for this customer')
    .addOption(metadataOption())
    .action(
      cli.action(async (options: TenantOptions) =>
        show(cli, await createOnce<WireTenant>(await cli.client(), '/v1/tenants', bodyOf(options))),
      ),
    )

  command
    .command('show <id>')
    .description('Show a tenant.')
    .action(
      cli.action(async (id: string) => show(cli, await call<WireTenant>(await cli.client(), 'GET', at(id)))),
    )

  command
    .command('update <id>')
    .description('Change a tenant.')
    .option('--name <name>', 'its name, for people')
    .option('--external-id <id>', 'your own id for this customer')
    .addOption(metadataOption())
    .action(
      cli.action(async (id: string, options: TenantOptions) => {
        const body = bodyOf(options)
        if (Object.keys(body).length === 0)
          throw usageError('Nothing to change.', 'Give --name, --external-id or --metadata.')
        return patch(cli, id, body)
      }),
    )

  command
    .command('disable <id>')
    .description('Refuse all of its credentials until it is enabled again.')
    .action(cli.action((id: string) => patch(cli, id, { disabled: true })))

  command
    .command('enable <id>')
    .description('Take its credentials again.')
    .action(cli.action((id: string) => patch(cli, id, { disabled: false })))

  command
    .command('delete <id>')
    .description('Delete a tenant: everything it has stops working at once, for ever.')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (id: string, { yes }: { yes?: boolean }) => {
        const client = await cli.client()
        const tenant = await call<WireTenant>(client, 'GET', at(id))
        await confirm(
          cli.io,
          `Everything of the tenant "${tenant.name}" stops working at once, for ever.`,
          id,
          yes,
        )
        await call(client, 'DELETE', at(id))
        if (cli.out.isJson) await cli.out.json({ deleted: id })
        else await cli.out.note(`Deleted ${id}.`)
      }),
    )
}

function bodyOf({ name, externalId, metadata }: TenantOptions): Record<string, unknown> {
  return {
    ...(name === undefined ? {} : { name }),
    ...(externalId === undefined ? {} : { external_id: externalId }),
    ...(metadata === undefined ? {} : { metadata }),
  }
}

async function patch(cli: Cli, id: string, body: unknown): Promise<void> {
  await show(cli, await call<WireTenant>(await cli.client(), 'PATCH', at(id), { body }))
}

function at(id: string): string {
  return `/v1/tenants/${encodeURIComponent(id)}`
}

function columns({ out }: Cli): Column<WireTenant>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'EXTERNAL ID', cell: (tenant) => tenant.external_id ?? '-', cuttable: true },
    { title: 'STATUS', cell: status },
    { title: 'CREATED', cell: (tenant) => out.time(tenant.created_at) },
  ]
}

function status({ disabled }: WireTenant) {
  return { text: disabled ? 'disabled' : 'active', style: disabled ? 'warn' : 'good' } as const
}

async function show({ out }: Cli, tenant: WireTenant): Promise<void> {
  if (out.isJson) return out.json(tenant)
  await out.card([
    ['id', tenant.id],
    ['name', tenant.name],
    ['external id', tenant.external_id ?? undefined],
    ['status', status(tenant)],
    ['metadata', Object.keys(tenant.metadata).length > 0 ? JSON.stringify(tenant.metadata) : undefined],
    ['created', out.time(tenant.created_at)],
    ['changed', tenant.updated_at === tenant.created_at ? undefined : out.time(tenant.updated_at)],
  ])
}
