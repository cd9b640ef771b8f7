/** audit: committed changes in a hash chain, and whether the chain is whole. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { EXIT, type ExitCode } from '../errors.ts'
import { parsedOption, timeOption } from '../input/options.ts'
import { addListOptions, type ListOptions, printList } from '../output/list.ts'
import { Progress } from '../output/progress.ts'
import type { Column } from '../output/table.ts'
import { plural } from '../output/text.ts'
import { call } from '../transport/api-client.ts'
import type { WireAuditEvent, WireHead } from '../wire.ts'

interface FilterOptions extends ListOptions {
  readonly tenant?: string
  readonly actor?: string
  readonly action?: string
  readonly target?: string
  readonly since?: string
  readonly until?: string
}

interface ChainAnswer {
  readonly ok: boolean
  readonly checked: number
  readonly head: WireHead
  readonly broken_at?: { readonly seq: number; readonly reason: string }
}

export function define(command: Command, cli: Cli): void {
  addListOptions(command.command('list').description('List changes, newest first.'))
    .option('--tenant <id>', 'of this tenant')
    .option('--actor <id>', 'by this operator, or system')
    .option('--action <action>', 'such as api_key.revoked')
    .option('--target <id>', 'to this key, tenant, …')
    .addOption(timeOption('--since <time>', 'not before', cli.io))
    .addOption(timeOption('--until <time>', 'not after', cli.io))
    .action(
      cli.action(async ({ limit, cursor, all, ...filter }: FilterOptions) => {
        const page = { ...(limit && { limit }), ...(cursor && { cursor }), ...(all && { all }) }
        await printList(cli, '/v1/audit', { ...filter }, page, columns(cli))
      }),
    )

  command
    .command('head')
    .description('Print the head of the chain. Keep it elsewhere: checked later, it shows a cut tail.')
    .action(
      cli.action(async () => {
        const head = await call<WireHead>(await cli.client(), 'GET', '/v1/audit/head')
        if (cli.out.isJson) await cli.out.json(head)
        else await cli.out.line(`${head.seq}:${head.hash}`)
      }),
    )

  command
    .command('verify')
    .description('Recompute the whole chain; exit code 3 when it is broken.')
    .addOption(
      parsedOption('--head <seq:hash>', 'a head that was printed earlier and kept elsewhere', parseHead),
    )
    .action(cli.action(({ head }: { head?: WireHead }) => verify(cli, head)))
}

async function verify(cli: Cli, head: WireHead | undefined): Promise<ExitCode> {
  const { out } = cli
  const client = await cli.client()
  const startedMs = cli.io.nowMs()
  const progress = new Progress(cli.io, 'Checking', (seconds) => `${seconds} s`)
  const timer = setInterval(() => progress.update(Math.round((cli.io.nowMs() - startedMs) / 1_000)), 200)
  let answer: ChainAnswer
  try {
    answer = await call<ChainAnswer>(client, 'POST', '/v1/audit/verify', { body: head ? { head } : {} })
  } finally {
    clearInterval(timer)
    progress.end()
  }
  const code = answer.ok ? EXIT.ok : EXIT.checkFailed
  if (out.isJson) await out.json(answer)
  else if (answer.ok) {
    await out.line(
      `${out.paint('good', 'whole')}  ${plural(answer.checked, 'event')}, head ${answer.head.seq}:${answer.head.hash}`,
    )
    if (!head)
      await out.note(
        'A cut tail shows only against a head kept elsewhere: postern audit verify --head <seq:hash>',
      )
  } else {
    const { seq, reason } = answer.broken_at ?? { seq: answer.checked + 1, reason: 'it does not check' }
    await out.line(`${out.paint('bad', 'BROKEN')} at event ${seq}: ${reason}.`)
    await out.note(
      `The events before it are whole. Keep a copy of the database, and find out who could write to it.`,
    )
  }
  return code
}

export function parseHead(text: string): WireHead {
  const [, seq, hash] = /^(\d{1,15}):([A-Za-z0-9_-]{43})$/.exec(text.trim()) ?? []
  if (seq === undefined || hash === undefined)
    throw new Error('Expected seq:hash, as `postern audit head` prints it.')
  return { seq: Number(seq), hash }
}

function columns({ out }: Cli): Column<WireAuditEvent>[] {
  return [
    { title: 'SEQ', cell: ({ seq }) => String(seq), align: 'right' },
    { title: 'AT', cell: ({ at }) => out.time(at) },
    { title: 'ACTION', cell: ({ action }) => action },
    { title: 'TARGET', cell: ({ target }) => target.id },
    { title: 'BY', cell: ({ actor }) => actor.id },
    { title: 'DATA', cell: ({ data }) => said(data), cuttable: true },
  ]
}

function said(data: WireAuditEvent['data']): string {
  return Object.entries(data)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
