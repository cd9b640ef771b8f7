/** users import: people who come from other software, with the password hashes that it made. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode, usageError } from '../errors.ts'
import { megabytes, openSource } from '../input/open-source.ts'
import { listOption } from '../input/options.ts'
import { LONGEST_LINE_BYTES, numberedLines } from '../keys/import-lines.ts'
import { FaultList } from '../output/fault-list.ts'
import { Progress } from '../output/progress.ts'
import { plural, printable } from '../output/text.ts'
import { ApiRefusal } from '../transport/api-client.ts'
import { createOnce } from '../transport/create-once.ts'
import type { WireUser } from '../wire.ts'
import { type ReadUser, userReader } from './import-record.ts'

interface ImportOptions {
  readonly tenant?: string
  readonly role?: string[]
  readonly faults?: string
}

/** Requests under way at once: the server commits them as a group. */
const AT_ONCE = 8

export function defineImport(users: Command, cli: Cli): void {
  users
    .command('import [file]')
    .description(
      'Import users with their password hashes (argon2, bcrypt, PBKDF2, scrypt): NDJSON, or CSV with a header (username,email,name,password_hash,…). Without a file, or with -, from stdin. Safe to run again: who is there is skipped.',
    )
    .option('--tenant <id>', 'whose members those are that name none')
    .addOption(listOption('--role <role>', 'their role there; again for more'))
    .option('--faults <file>', 'where all faulty lines are listed, as NDJSON')
    .action(cli.action((file: string | undefined, options: ImportOptions) => importUsers(cli, file, options)))
}

async function importUsers(
  cli: Cli,
  file: string | undefined,
  { tenant, role: roles = [], faults: faultsFile }: ImportOptions,
): Promise<ExitCode> {
  if (roles.length > 0 && tenant === undefined)
    throw usageError('Roles are held in a tenant.', 'Name it with --tenant.')
  const source = await openSource(cli, file)
  const client = await cli.client()
  const faults = await FaultList.open(faultsFile)
  const progress = new Progress(cli.io, 'Importing', source.size === undefined ? undefined : megabytes)
  const counts = { imported: 0, skipped: 0, faulty: 0 }
  const underWay = new Set<Promise<void>>()
  let failure: unknown
  const fault = (line: number, detail: string): void => {
    counts.faulty += 1
    faults.add(line, detail)
  }
  const send = async (line: number, body: Readonly<Record<string, unknown>>): Promise<void> => {
    try {
      await createOnce<WireUser>(client, '/v1/users', body)
      counts.imported += 1
    } catch (error) {
      const status = error instanceof ApiRefusal ? error.status : 0
      if (status === 409) counts.skipped += 1
      // Whatever is wrong with this line alone; anything else would be wrong with the next one, too.
      else if (status === 400 || status === 404 || status === 422) fault(line, (error as Error).message)
      else failure ??= error
    }
  }
  try {
    let read: ReadUser | undefined
    for await (const { number, text, bytes } of numberedLines(source.chunks)) {
      if (failure !== undefined) break
      progress.update(source.size === undefined ? number : bytes, source.size)
      if (text === undefined) fault(number, `The line is longer than ${LONGEST_LINE_BYTES} bytes.`)
      if (text === undefined || text.trim() === '') continue
      read ??= userReader(text, { tenant, roles })
      const body = readLine(read, number, text, fault)
      if (!body) continue
      const sent: Promise<void> = send(number, body).finally(() => underWay.delete(sent))
      underWay.add(sent)
      if (underWay.size >= AT_ONCE) await Promise.race(underWay)
    }
    await Promise.all(underWay)
  } finally {
    progress.end()
    await faults.close()
  }
  if (failure !== undefined) {
    await cli.out.note(
      `Stopped after ${plural(counts.imported, 'user')}. Run it again: who is there is skipped.`,
    )
    throw failure
  }
  await report(cli, counts, faults)
  return counts.faulty > 0 ? EXIT.failed : EXIT.ok
}

function readLine(
  read: ReadUser,
  number: number,
  text: string,
  fault: (line: number, detail: string) => void,
): ReturnType<ReadUser> {
  try {
    return read(text)
  } catch (error) {
    // Without its header no line of a CSV file means anything.
    const { message } = error as Error
    if (number === 1 && message.startsWith('The header')) throw usageError(message)
    fault(number, message)
    return undefined
  }
}

async function report(
  { out }: Cli,
  counts: { readonly imported: number; readonly skipped: number; readonly faulty: number },
  faults: FaultList,
): Promise<void> {
  const shown = faults.shown.sort((one, other) => one.line - other.line)
  if (out.isJson) return out.json({ ...counts, faults: shown })
  const { imported, skipped, faulty } = counts
  await out.line(
    `Imported ${plural(imported, 'user')}, skipped ${skipped.toLocaleString('en')} that ${skipped === 1 ? 'is' : 'are'} there already, refused ${faulty.toLocaleString('en')}.`,
  )
  for (const { line, detail } of shown) await out.note(`  line ${line}: ${printable(detail)}`)
  if (faulty > shown.length)
    await out.note(`  and ${plural(faulty - shown.length, 'line')} more (--faults <file> lists them all)`)
}
