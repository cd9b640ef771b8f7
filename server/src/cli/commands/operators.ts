/** operators: persons, scripts and verifying services that may use the management API. */
import type { Command } from 'commander'
import { MANAGEMENT_SCOPES } from '../../kernel/index.ts'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { durationOption, expiryOption, listOption } from '../input/options.ts'
import type { Expiry } from '../input/time.ts'
import { keyHint, printIssued, statusCell } from '../output/credential.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import type { Column } from '../output/table.ts'
import { plural } from '../output/text.ts'
import { openLocal, requireLocal } from '../target.ts'
import { call } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { Issued, Page, Rotated, WireOperator } from '../wire.ts'

const PATH = '/v1/operators'
const ALL_SCOPES = MANAGEMENT_SCOPES.map(({ name }) => name)

interface CreateOptions {
  readonly name: string
  readonly owner?: string
  readonly scope?: string[]
  readonly allScopes?: boolean
  readonly tenant?: string
  readonly resource?: string[]
  readonly expires?: Expiry
  readonly quiet?: boolean
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List operators.')).action(
    cli.action((options: ListOptions) => printList(cli, PATH, {}, options, columns(cli))),
  )

  command
    .command('create')
    .description('Create an operator and show its key, once. A service that verifies needs the scope verify.')
    .requiredOption('--name <name>', 'whose it is, for people')
    .option('--owner <owner>', 'your own id for them (the name)')
    .addOption(listOption('--scope <scope>', `what it may do: ${ALL_SCOPES.join(', ')}`))
    .option('--all-scopes', 'everything')
    .option('--tenant <id>', 'only this tenant; otherwise as far as you reach')
    .addOption(listOption('--resource <uri>', 'only this resource, by URI or id; again for more'))
    .addOption(expiryOption(cli.io))
    .option('--quiet', 'print the key alone')
    .action(
      cli.action(async (options: CreateOptions) => {
        const scopes = options.allScopes ? ALL_SCOPES : options.scope
        if (!scopes) throw usageError('What may it do?', 'Give --scope, once for each, or --all-scopes.')
        const issued = await createOnce<Issued<WireOperator>>(await cli.client(), PATH, {
          name: options.name,
          owner: options.owner,
          scopes,
          tenant: options.tenant,
          resources: options.resource,
          ...options.expires,
        })
        await printIssued(cli, issued, { purpose: 'operator key', ...options })
      }),
    )

  command
    .command('show <id>')
    .description('Show an operator.')
    .action(
      cli.action(async (id: string) =>
        show(cli, await call<WireOperator>(await cli.client(), 'GET', at(id))),
      ),
    )

  command
    .command('revoke <id>')
    .description('Revoke an operator, for ever. The last deployment operator stays.')
    .option('--reason <text>', 'for the audit')
    .action(
      cli.action(async (id: string, { reason }: { reason?: string }) =>
        show(
          cli,
          await call<WireOperator>(await cli.client(), 'POST', `${at(id)}/revoke`, { body: { reason } }),
        ),
      ),
    )

  command
    .command('rotate <id>')
    .description('Give an operator a new key, shown once; the old one goes on for the overlap.')
    .addOption(
      durationOption('--overlap <duration>', 'how long the old key goes on (1d); 0s ends it at once'),
    )
    .option('--quiet', 'print the new key alone')
    .action(
      cli.action(async (id: string, { overlap, quiet }: { overlap?: number; quiet?: boolean }) => {
        const path = `${at(id)}/rotate`
        const rotated = await createOnce<Rotated<WireOperator>>(await cli.client(), path, {
          overlap_seconds: overlap,
        })
        if (cli.out.isJson && !quiet) return cli.out.json(rotated)
        await printIssued(cli, rotated.key, { purpose: 'new operator key', ...(quiet ? { quiet } : {}) })
        if (!quiet) await cli.out.note(`The old one ends ${cli.out.time(rotated.old.expires_at).text}.`)
      }),
    )

  command
    .command('recover')
    .description('Make a new deployment operator from the data folder, when all operator keys are lost.')
    .option('--name <name>', 'whose it is, for people', 'recovered')
    .addOption(expiryOption(cli.io))
    .option('--quiet', 'print the key alone')
    .action(
      cli.action((options: { name: string; expires?: Expiry; quiet?: boolean }) => recover(cli, options)),
    )
}

/** Whoever can read the data folder owns the deployment anyway; the audit tells that it was done. */
async function recover(
  cli: Cli,
  options: { name: string; expires?: Expiry; quiet?: boolean },
): Promise<void> {
  requireLocal(cli, 'operators recover')
  const client = await openLocal(cli)
  try {
    const issued = await createOnce<Issued<WireOperator>>(client, PATH, {
      name: options.name,
      tenant: null,
      resources: null,
      scopes: ALL_SCOPES,
      ...options.expires,
    })
    await printIssued(cli, issued, { purpose: 'operator key', ...options })
    const { data } = await call<Page<WireOperator>>(client, 'GET', PATH, { query: { limit: 100 } })
    const others = data.filter(
      ({ id, status, tenant }) => id !== issued.id && status === 'active' && tenant === null,
    )
    if (others.length > 0 && !options.quiet && !cli.out.isJson)
      await cli.out.note(
        `${plural(others.length, 'other deployment operator')} still can do the same. Where the key is lost or in wrong hands: postern operators revoke <id>`,
      )
  } finally {
    await client.close()
  }
}

function at(id: string): string {
  return `${PATH}/${encodeURIComponent(id)}`
}

function columns({ out }: Cli): Column<WireOperator>[] {
  return [
    { title: 'ID', cell: ({ id }) => id },
    { title: 'NAME', cell: ({ name }) => name, cuttable: true },
    { title: 'REACH', cell: reach },
    { title: 'SCOPES', cell: scopes, cuttable: true },
    { title: 'STATUS', cell: ({ status }) => statusCell(status) },
    { title: 'EXPIRES', cell: (operator) => out.time(operator.expires_at, 'never') },
    { title: 'LAST USED', cell: (operator) => out.time(operator.last_used_at, 'never') },
  ]
}

function reach({ tenant, resources }: WireOperator): string {
  const where = tenant ?? 'deployment'
  return resources === null ? where : `${where}, ${plural(resources.length, 'resource')}`
}

function scopes({ scopes }: WireOperator): string {
  return ALL_SCOPES.every((scope) => scopes.includes(scope)) ? 'all' : scopes.join(' ')
}

async function show({ out }: Cli, operator: WireOperator): Promise<void> {
  if (out.isJson) return out.json(operator)
  await out.card([
    ['id', operator.id],
    ['name', operator.name],
    ['owner', operator.owner],
    ['reach', operator.tenant ?? 'deployment'],
    ['resources', operator.resources?.join(' ')],
    ['scopes', operator.scopes.join(' ')],
    ['key', keyHint(operator, 'postern_live')],
    ['status', statusCell(operator.status)],
    ['created', out.time(operator.created_at)],
    ['created by', operator.created_by],
    ['expires', out.time(operator.expires_at, 'never')],
    ['revoked', operator.revoked_at === null ? undefined : out.time(operator.revoked_at)],
    ['rotated to', operator.rotated_to ?? undefined],
    ['rotated from', operator.rotated_from ?? undefined],
    ['last used', out.time(operator.last_used_at, 'never')],
    ['from', operator.last_used_network ?? undefined],
  ])
}
