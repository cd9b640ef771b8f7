/** keys bulk-revoke, bulk-rotate: first what would be touched, then a question, then the work. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'
import { confirm } from '../input/confirm.ts'
import { durationOption } from '../input/options.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import { withPatience } from '../transport/create-once.ts'
import type { BulkAnswer } from '../wire.ts'
import { bulkRotate, type BulkRotateOptions, resumeBulkRotate } from './bulk-rotate.ts'
import { addBulkFilterOptions, filterOf, type FilterOptions } from './filter-options.ts'
import { keyColumns } from './read.ts'

interface BulkOptions extends FilterOptions {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

export function defineBulk(command: Command, cli: Cli): void {
  addBulkFilterOptions(
    command.command('bulk-revoke').description('Revoke all keys that match, for ever. Shows them first.'),
    cli.io,
  )
    .option('--reason <text>', 'for the audit')
    .option('--dry-run', 'only show what would be revoked')
    .option('--yes', 'do not ask')
    .action(cli.action((options: BulkOptions & { reason?: string }) => bulkRevoke(cli, options)))

  addBulkFilterOptions(
    command
      .command('bulk-rotate')
      .description(
        'Give all active keys that match a successor. Each new key is shown once, as a line of JSON.',
      ),
    cli.io,
  )
    .addOption(
      durationOption('--overlap <duration>', 'how long the old keys go on (1d); 0s ends them at once'),
    )
    .option('--output <file>', 'where the new keys go, instead of stdout; only you can read it')
    .option('--resume <token>', 'go on with one that was cut: it printed the token')
    .option('--dry-run', 'only show what would be rotated')
    .option('--yes', 'do not ask')
    .action(
      cli.action(async (options: BulkOptions & BulkRotateOptions) => {
        if (options.resume !== undefined) return resumeBulkRotate(cli, options.resume, options)
        const filter = bulkFilterOf(options)
        const body = { filter, overlap_seconds: options.overlap }
        const preview = await dryRun(cli, '/v1/keys/bulk-rotate', body)
        if (!(await goOn(cli, preview, 'Rotate', options))) return undefined
        return bulkRotate(cli, { ...body, expected_count: preview.matched }, options)
      }),
    )
}

async function bulkRevoke(cli: Cli, options: BulkOptions & { reason?: string }): Promise<void> {
  const body = { filter: bulkFilterOf(options), reason: options.reason }
  const path = '/v1/keys/bulk-revoke'
  const preview = await dryRun(cli, path, body)
  if (!(await goOn(cli, preview, 'Revoke, for ever,', options))) return
  const answer = await call<BulkAnswer>(await cli.client(), 'POST', path, {
    body: { ...body, expected_count: preview.matched },
  })
  if (cli.out.isJson) await cli.out.json(answer)
  else await cli.out.line(`Revoked ${plural(answer.revoked ?? 0, 'key')}.`)
}

async function dryRun(cli: Cli, path: string, body: object): Promise<BulkAnswer> {
  const client = await cli.client()
  return withPatience(() => call<BulkAnswer>(client, 'POST', path, { body: { ...body, dry_run: true } }), 3)
}

/** Shows the blast radius; answers whether to go on. */
async function goOn(cli: Cli, preview: BulkAnswer, verb: string, options: BulkOptions): Promise<boolean> {
  const isOnlyDry = options.dryRun === true
  if (!cli.out.isJson) await printPreview(cli, preview)
  else if (isOnlyDry) await cli.out.json(preview)
  if (isOnlyDry) return false
  if (preview.matched === 0) return true
  await confirm(cli.io, `${verb} ${plural(preview.matched, 'key')}?`, String(preview.matched), options.yes)
  return true
}

/** On stderr: stdout is for what was done. */
async function printPreview(cli: Cli, { matched, by_owner: owners, sample }: BulkAnswer): Promise<void> {
  const { out } = cli
  if (matched === 0) return out.note('No key matches; nothing to do.')
  await out.note(
    `${plural(matched, 'key')} of ${owners.length < 20 ? plural(owners.length, 'owner') : '20 owners or more'}:`,
  )
  const byOwner = out.table<(typeof owners)[number]>([
    { title: 'KEYS', cell: ({ count }) => count.toLocaleString('en'), align: 'right' },
    { title: 'OWNER', cell: ({ owner }) => owner, cuttable: true },
  ])
  await out.note(byOwner.lines(owners))
  await out.note(sample.length < matched ? `The first ${sample.length} of them:` : 'They are:')
  await out.note(out.table(keyColumns(cli)).lines(sample))
}

function bulkFilterOf(options: BulkOptions): Record<string, unknown> {
  const filter = { ...filterOf(options), ...(options.id ? { ids: options.id } : {}) }
  if (Object.keys(filter).length === 0)
    throw usageError('Which keys?', 'Give at least one of --owner, --resource, --scope, --id, …; see --help.')
  return filter
}
