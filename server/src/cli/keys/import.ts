/** keys import: digests of keys that were issued elsewhere, a million in one command, in bounded memory. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode, usageError } from '../errors.ts'
import { megabytes, openSource } from '../input/open-source.ts'
import { expiryOption, listOption } from '../input/options.ts'
import type { Expiry } from '../input/time.ts'
import { FaultList } from '../output/fault-list.ts'
import { Progress } from '../output/progress.ts'
import { plural, printable } from '../output/text.ts'
import { ImportBatches } from './import-batches.ts'
import { LONGEST_LINE_BYTES, numberedLines } from './import-lines.ts'
import {
  detectFormat,
  FORMATS,
  type ImportDefaults,
  type ImportFormat,
  type ReadRecord,
  recordReader,
} from './import-record.ts'

interface ImportOptions {
  readonly format?: ImportFormat
  readonly highEntropy?: boolean
  readonly owner?: string
  readonly resource?: string
  readonly tenant?: string
  readonly scope?: string[]
  readonly prefix?: string
  readonly name?: string
  readonly environment?: string
  readonly expires?: Expiry
  readonly faults?: string
}

export function defineImport(command: Command, cli: Cli): void {
  command
    .command('import [file]')
    .description(
      'Import SHA-256 digests of keys that were issued elsewhere: NDJSON, CSV with a header (digest,owner,scopes,…), or one digest a line. Without a file, or with -, from stdin. Safe to run again: what is there is skipped.',
    )
    .option('--high-entropy', 'you state that the keys hold at least 128 random bits; needed')
    .addOption(new Option('--format <format>', 'taken from the first line otherwise').choices([...FORMATS]))
    .option('--owner <owner>', 'of lines that name none')
    .option('--resource <uri>', 'the API of lines that name none, by URI or id')
    .option('--tenant <id>', 'of lines that name none (default)')
    .addOption(listOption('--scope <scope>', 'of lines that name none; again for more'))
    .option('--prefix <prefix>', 'what the keys of lines that do not say start with')
    .option('--name <name>', 'of lines that have none (imported)')
    .addOption(new Option('--environment <name>', 'of lines that name none (live)').choices(['live', 'test']))
    .addOption(expiryOption(cli.io, 'when keys end whose lines do not say: 30d, a time, or never'))
    .option('--faults <file>', 'where all faulty lines are listed, as NDJSON')
    .action(cli.action((file: string | undefined, options: ImportOptions) => importKeys(cli, file, options)))
}

async function importKeys(cli: Cli, file: string | undefined, options: ImportOptions): Promise<ExitCode> {
  if (!options.highEntropy)
    throw usageError(
      'A digest of something guessable, such as a password, can be guessed.',
      'If the keys were drawn at random (128 bits or more), say so with --high-entropy.',
    )
  const source = await openSource(cli, file)
  const faults = await FaultList.open(options.faults)
  const batches = new ImportBatches(await cli.client(), (line, detail) => faults.add(line, detail))
  const progress = new Progress(cli.io, 'Importing', source.size === undefined ? undefined : megabytes)
  let line = 0
  try {
    let read: ReadRecord | undefined
    for await (const { number, text, bytes } of numberedLines(source.chunks)) {
      line = number
      progress.update(source.size === undefined ? number : bytes, source.size)
      if (text === undefined) batches.fault(number, `The line is longer than ${LONGEST_LINE_BYTES} bytes.`)
      if (text === undefined || text.trim() === '') continue
      read ??= recordReader(options.format ?? detectFormat(text), defaultsOf(options))
      await takeLine(batches, read, number, text)
    }
    await batches.finish()
  } catch (error) {
    await batches.settle()
    if (batches.counts.imported + batches.counts.skipped > 0)
      await cli.out.note(
        `Stopped near line ${line}, after ${plural(batches.counts.imported, 'key')}. Run it again: what is there is skipped.`,
      )
    throw error
  } finally {
    progress.end()
    await faults.close()
  }
  await report(cli, batches.counts, faults, options.faults)
  return batches.counts.faulty > 0 ? EXIT.failed : EXIT.ok
}

async function takeLine(
  batches: ImportBatches,
  read: ReadRecord,
  number: number,
  text: string,
): Promise<void> {
  let record: ReturnType<ReadRecord>
  try {
    record = read(text)
  } catch (error) {
    // Without its header no line of a CSV file means anything.
    if (number === 1 && (error as Error).message.startsWith('The header'))
      throw usageError((error as Error).message)
    batches.fault(number, (error as Error).message)
    return
  }
  if (record) await batches.add(number, record)
}

function defaultsOf(options: ImportOptions): ImportDefaults {
  const { owner, resource, tenant, scope, prefix, name, environment, expires } = options
  const given = { owner, resource, tenant, prefix, name, environment, ...expires }
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    scopes: scope ?? [],
  }
}

async function report(
  cli: Cli,
  { imported, skipped, faulty }: ImportBatches['counts'],
  faults: FaultList,
  faultsFile: string | undefined,
): Promise<void> {
  const { out } = cli
  const shown = faults.shown.sort((one, other) => one.line - other.line)
  if (out.isJson) return out.json({ imported, skipped, faulty, faults: shown })
  await out.line(
    `Imported ${plural(imported, 'key')}, skipped ${skipped.toLocaleString('en')} that ${skipped === 1 ? 'is' : 'are'} there already, refused ${faulty.toLocaleString('en')}.`,
  )
  for (const { line, detail } of shown) await out.note(`  line ${line}: ${printable(detail)}`)
  if (faulty > shown.length)
    await out.note(
      `  and ${plural(faulty - shown.length, 'line')} more${faultsFile ? `: all are in ${faultsFile}` : ' (--faults <file> lists them all)'}`,
    )
}
