/** Prints a list of the API: a page as a table or one JSON document, all of it as a table or NDJSON. */
import { type Command, Option } from 'commander'
import type { Cli } from '../cli.ts'
import { countOption } from '../input/options.ts'
import { type ApiRequest, call } from '../transport/api-client.ts'
import type { Page } from '../wire.ts'
import type { Column } from './table.ts'

export interface ListOptions {
  readonly limit?: number
  readonly cursor?: string
  readonly all?: boolean
}

const LARGEST_PAGE = 100

export function addListOptions(command: Command): Command {
  return command
    .addOption(countOption('--limit <n>', 'how many (50)', 1, LARGEST_PAGE))
    .addOption(new Option('--cursor <cursor>', 'go on after a page: its next_cursor'))
    .addOption(
      new Option('--all', 'everything; with --json one line of JSON each').conflicts(['cursor', 'limit']),
    )
}

export async function printList<T>(
  cli: Cli,
  path: string,
  query: ApiRequest['query'],
  options: ListOptions,
  columns: readonly Column<T>[],
): Promise<void> {
  const client = await cli.client()
  const read = (page: ApiRequest['query']) =>
    call<Page<T>>(client, 'GET', path, { query: { ...query, ...page } })
  if (!options.all) {
    const page = await read({ limit: options.limit, cursor: options.cursor })
    if (cli.out.isJson) return cli.out.json(page)
    if (page.data.length === 0) return cli.out.note('Nothing there.')
    await cli.out.write(cli.out.table(columns).lines(page.data))
    if (page.next_cursor !== null) await cli.out.note(`There is more: --all, or --cursor ${page.next_cursor}`)
    return
  }
  const table = cli.out.table(columns)
  let cursor: string | undefined
  let count = 0
  do {
    const page: Page<T> = await read({ limit: LARGEST_PAGE, cursor })
    count += page.data.length
    if (cli.out.isJson) await cli.out.write(page.data.map((item) => `${JSON.stringify(item)}\n`).join(''))
    else if (page.data.length > 0) await cli.out.write(table.lines(page.data))
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
  if (count === 0 && !cli.out.isJson) await cli.out.note('Nothing there.')
}
