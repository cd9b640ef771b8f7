/** feed tail: what verifiers are told, as they are told it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'
import { CliError, EXIT } from '../errors.ts'
import { countOption } from '../input/options.ts'
import type { Column } from '../output/table.ts'
import { type ApiClient, call, StreamCut } from '../transport/api-client.ts'
import { isPassing } from '../transport/create-once.ts'
import { type ServerSentEvent, serverSentEvents } from '../transport/server-sent-events.ts'
import type { WireFeedRow, WireSnapshot } from '../wire.ts'

interface TailOptions {
  readonly after?: number
  readonly inForce?: boolean
  readonly limit?: number
}

const AGAIN_MS = 1_000

export function define(command: Command, cli: Cli): void {
  command
    .command('tail')
    .description('Follow the feed of revocations and changes. With --json one line of JSON each.')
    .addOption(
      countOption('--after <seq>', 'begin after this row instead of now', 0, Number.MAX_SAFE_INTEGER),
    )
    .option('--in-force', 'first everything that is in force')
    .addOption(countOption('--limit <n>', 'end after so many rows', 1, 1_000_000))
    .action(cli.action((options: TailOptions) => new Tail(cli, options).run()))
}

class Tail {
  readonly #cli: Cli
  readonly #options: TailOptions
  readonly #print: (row: WireFeedRow) => Promise<void>
  #after: number | undefined
  #left: number

  constructor(cli: Cli, options: TailOptions) {
    this.#cli = cli
    this.#options = options
    this.#after = options.after
    this.#left = options.limit ?? Number.POSITIVE_INFINITY
    const { out } = cli
    const table = out.table(columns(cli))
    this.#print = (row) => (out.isJson ? out.line(JSON.stringify(row)) : out.write(table.lines([row])))
  }

  async run(): Promise<void> {
    const client = await this.#cli.client()
    if (this.#options.inForce) {
      const { rows, head } = await call<WireSnapshot>(client, 'GET', '/v1/feed/snapshot')
      for (const row of rows) await this.#row(row)
      this.#after = head
    }
    // In process, on the data folder, nothing else keeps waiting.
    const waiting = setInterval(() => {}, AGAIN_MS)
    try {
      while (this.#left > 0) await this.#followOnce(client)
    } finally {
      clearInterval(waiting)
    }
  }

  async #followOnce(client: ApiClient): Promise<void> {
    try {
      await this.#follow(client)
    } catch (error) {
      // The server is away for a moment, or the connection was lost: it goes on where it stopped.
      if (!(error instanceof StreamCut) && !isPassing(error)) throw error
    }
    if (this.#left > 0) await sleep(AGAIN_MS)
  }

  /** Until the stream ends, or enough was seen. */
  async #follow(client: ApiClient): Promise<void> {
    const lines = client.stream('GET', '/v1/feed/stream', { query: { after: this.#after } })
    for await (const event of serverSentEvents(lines)) {
      await this.#take(event)
      if (this.#left === 0) return
    }
  }

  async #take({ event, data }: ServerSentEvent): Promise<void> {
    const said = JSON.parse(data) as WireFeedRow & { head: number; code: string }
    if (event === 'row') return this.#row(said)
    if (event === 'heartbeat') this.#after = said.head
    if (event === 'reset') {
      this.#after = said.head
      await this.#cli.out.note('The rows since then are not all kept any more; going on from now.')
    }
    if (event === 'end') throw new CliError(EXIT.notPermitted, `The operator key has ended: ${said.code}.`)
  }

  async #row(row: WireFeedRow): Promise<void> {
    if (this.#left === 0) return
    this.#left--
    this.#after = row.seq
    await this.#print(row)
  }
}

/** Fixed widths: rows come one by one, and the columns stay where they are. */
function columns({ out }: Cli): Column<WireFeedRow>[] {
  return [
    { title: 'SEQ             ', cell: ({ seq }) => String(seq) },
    { title: 'AT               ', cell: ({ at }) => out.time(new Date(at).toISOString()).text.slice(0, 17) },
    {
      title: 'EFFECT ',
      cell: ({ effect }) => ({ text: effect, style: effect === 'changed' ? 'warn' : 'bad' }),
    },
    { title: 'KIND       ', cell: ({ kind }) => kind },
    { title: 'KEY', cell: ({ key }) => key },
  ]
}
