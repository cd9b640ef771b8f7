/** keys export: every key that matches, without secrets and hashes, as NDJSON or CSV. */
import type { Command } from 'commander'
import { Option } from 'commander'
import type { Cli } from '../cli.ts'
import { csvLine } from '../output/csv.ts'
import { Progress } from '../output/progress.ts'
import { openSecretFile } from '../output/secret-file.ts'
import { plural } from '../output/text.ts'
import type { WireKey } from '../wire.ts'
import { addFilterOptions, filterOf, type FilterOptions } from './filter-options.ts'

interface ExportOptions extends FilterOptions {
  readonly format: 'ndjson' | 'csv'
  readonly output?: string
}

/** Stable: new ones are added at the end. */
const CSV_COLUMNS = [
  'id',
  'owner',
  'name',
  'tenant',
  'resource',
  'scopes',
  'environment',
  'status',
  'prefix',
  'lookup',
  'last4',
  'imported',
  'created_at',
  'expires_at',
  'last_used_at',
  'last_used_network',
  'ip_allow',
  'metadata',
] as const satisfies readonly (keyof WireKey)[]

/** Written at once: a system call for each line would be most of the time. */
const CHUNK = 65_536

export function defineExport(command: Command, cli: Cli): void {
  addFilterOptions(command.command('export').description('Export keys without their secrets.'), cli.io)
    .addOption(new Option('--format <format>', 'ndjson or csv').choices(['ndjson', 'csv']).default('ndjson'))
    .option('--output <file>', 'a new file, instead of stdout; only you can read it')
    .action(cli.action((options: ExportOptions) => exportKeys(cli, options)))
}

async function exportKeys(cli: Cli, options: ExportOptions): Promise<void> {
  const client = await cli.client()
  const file = options.output === undefined ? undefined : await openSecretFile(options.output, false)
  const progress = new Progress(cli.io, 'Exporting')
  const isCsv = options.format === 'csv'
  let count = 0
  let pending = isCsv ? csvLine(CSV_COLUMNS) : ''
  const flush = async (): Promise<void> => {
    if (file) await file.write(pending)
    else if (pending !== '') await cli.out.write(pending)
    pending = ''
  }
  try {
    for await (const line of client.stream('GET', '/v1/keys/export', { query: filterOf(options) })) {
      if (line === '') continue
      pending += isCsv ? csvOf(JSON.parse(line) as WireKey) : `${line}\n`
      if (pending.length >= CHUNK) await flush()
      progress.update((count += 1))
    }
    await flush()
  } finally {
    progress.end()
    await file?.close()
  }
  await cli.out.note(`Exported ${plural(count, 'key')}.`)
}

function csvOf(key: WireKey): string {
  return csvLine(
    CSV_COLUMNS.map((name) => {
      const value = key[name]
      if (Array.isArray(value)) return value.join(' ')
      return typeof value === 'object' && value !== null
        ? JSON.stringify(value)
        : (value as string | boolean | null)
    }),
  )
}
