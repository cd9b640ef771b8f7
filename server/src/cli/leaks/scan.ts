/** leaks scan: finds keys where they should not be, offline. Of a key only what is public is printed. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode, usageError } from '../errors.ts'
import { Progress } from '../output/progress.ts'
import { plural, printable } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import type { WireFoundKey, WireLeakAnswer } from '../wire.ts'
import { commitOf, fileSources, historySources } from './sources.ts'

interface ScanOptions {
  readonly history?: boolean
  readonly report?: boolean
  readonly act?: boolean
}

interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly prefix: string
  readonly environment: string
  readonly lookup: string
  readonly last4: string
  readonly blob?: string
  readonly commit?: string
}

/** Beyond so many different keys, the others are printed and not asked about. */
const MOST_ASKED = 10_000
const ASKED_AT_ONCE = 500
/** Finding a commit walks the history: beyond so many, the object's name has to do. */
const MOST_COMMITS = 50

export function defineScan(command: Command, cli: Cli): void {
  command
    .command('scan <path>')
    .description(
      'Find keys in the files of a folder, built bundles and .env files included, or in the history of a git repository; exit code 3 when there are any. Offline unless --report.',
    )
    .option('--history', 'all that the git repository there ever held, instead of its files')
    .option('--report', 'ask the server about each: is it alive, and whose is it')
    .option('--act', 'with --report: report them as leaked, so that the policy of their APIs is applied')
    .action(cli.action((path: string, options: ScanOptions) => scan(cli, path, options)))
}

async function scan(cli: Cli, path: string, options: ScanOptions): Promise<ExitCode> {
  if (options.act && !options.report) throw usageError('--act needs --report.')
  const { KeyScanner } = await import('../../leaks/index.ts')
  const progress = new Progress(cli.io, 'Scanning', (bytes) => `${(bytes / 1_048_576).toFixed(1)} MB`)
  const found = new Map<string, Place>()
  const commits = new Map<string, string | undefined>()
  let count = 0
  let bytes = 0
  try {
    for await (const { name, blob, pieces } of options.history ? historySources(path) : fileSources(path)) {
      const scanner = new KeyScanner()
      try {
        for await (const piece of pieces) {
          progress.update((bytes += piece.length))
          for (const key of scanner.scan(piece.toString('latin1'))) {
            count++
            const commit = blob === undefined ? undefined : await commitNamed(path, blob, commits)
            const place: Place = {
              file: name,
              line: key.line,
              column: key.column,
              prefix: key.prefix,
              environment: key.environment,
              lookup: key.lookup,
              last4: key.last4,
              ...(blob !== undefined && { blob }),
              ...(commit !== undefined && { commit }),
            }
            await print(cli, place)
            if (options.report && found.size < MOST_ASKED && !found.has(key.text)) found.set(key.text, place)
          }
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
        await cli.out.note(`${printable(name)} cannot be read (${(error as NodeJS.ErrnoException).code}).`)
      }
    }
  } finally {
    progress.end()
  }
  if (options.report) await report(cli, found, options.act === true)
  if (!cli.out.isJson)
    await cli.out.note(count === 0 ? 'No key was found.' : `Found ${plural(count, 'key')}.`)
  return count === 0 ? EXIT.ok : EXIT.checkFailed
}

async function commitNamed(
  folder: string,
  blob: string,
  known: Map<string, string | undefined>,
): Promise<string | undefined> {
  if (!known.has(blob) && known.size < MOST_COMMITS) known.set(blob, await commitOf(folder, blob))
  return known.get(blob)
}

async function print({ out }: Cli, place: Place): Promise<void> {
  if (out.isJson) return out.line(JSON.stringify(place))
  const { file, line, column, prefix, environment, lookup, last4, commit } = place
  const where = `${printable(file)}:${line}:${column}`
  const at = commit === undefined ? '' : `  in ${commit.slice(0, 12)}`
  await out.line(`${where}  ${prefix}_${environment}_${lookup}…${last4}${at}`)
}

async function report(cli: Cli, found: ReadonlyMap<string, Place>, act: boolean): Promise<void> {
  const client = await cli.client()
  const entries = [...found]
  for (let at = 0; at < entries.length; at += ASKED_AT_ONCE) {
    const batch = entries.slice(at, at + ASKED_AT_ONCE)
    const reports = batch.map(([token, { file, line, commit }]) => ({
      token,
      // Names of files are whatever their makers liked.
      url: cleaned(`${commit === undefined ? '' : `${commit}:`}${file}:${line}`),
      source: 'scan',
    }))
    const answer = await call<WireLeakAnswer>(client, 'POST', '/v1/leaks', {
      body: { dry_run: !act, reports },
    })
    for (const [index, { found: keys }] of answer.data.entries())
      await printAnswer(cli, (batch[index] as (typeof batch)[number])[1], keys)
  }
}

async function printAnswer(
  { out }: Cli,
  { lookup, last4 }: Place,
  keys: readonly WireFoundKey[],
): Promise<void> {
  if (out.isJson) return out.line(JSON.stringify({ lookup, last4, found: keys }))
  if (keys.length === 0) await out.line(`…${last4}  is no key of this deployment`)
  for (const { key, owner, resource, status, action, expires_at: expires } of keys) {
    const done =
      action === 'none' ? '' : `, ${ACTIONS[action] ?? action}${action === 'ends' ? ` ${expires}` : ''}`
    await out.line(`…${last4}  ${key}  ${printable(owner)}  ${printable(resource)}  ${status}${done}`)
  }
}

export const ACTIONS: Readonly<Record<string, string>> = {
  revoked: 'revoked now',
  disabled: 'disabled now',
  ends: 'ends at',
  told: 'told',
}

function cleaned(text: string): string {
  // eslint-disable-next-line no-control-regex -- what the server refuses.
  return text.replace(/[\u0000-\u001F\u007F]/g, '').slice(0, 2_000)
}
