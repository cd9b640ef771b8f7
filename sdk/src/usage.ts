/**
 * Counts what this process decided by itself and reports it to the server, every second and at the end. Nothing waits
 * for it. A report has an id and is sent again, as it was, until it was answered: it counts once.
 */

/** What is counted of a decision. */
export interface Counted {
  /** The key; of a token the key it was exchanged from, else its grant or session; '' where there is none. */
  readonly credential: string
  readonly client?: string | undefined
  readonly tenant: string
  /** Its URI. */
  readonly resource: string
  /** A pattern or a name, never a path that was called. */
  readonly route: string
  /** `valid`, or the code of the denial. */
  readonly result: string
}

export interface UsageReport {
  readonly id: string
  readonly counts: readonly (Counted & { readonly minute: string; readonly count: number })[]
  readonly requests: readonly {
    readonly at: string
    readonly credential: string
    readonly route: string
    readonly address?: string
    readonly result: string
  }[]
  /** Which scopes of a key were needed by a request that passed. */
  readonly scopes: readonly { readonly at: string; readonly credential: string; readonly scope: string }[]
}

export interface UsageReporterOptions {
  /** `POST /v1/usage/reports`; rejects when the server did not take it. */
  send(report: UsageReport): Promise<unknown>
  /** Unix milliseconds. */
  nowMs(): number
  /** Random text of at least 16 characters. */
  newId(): string
  /** Calls later, and answers what calls it off. Without it, whoever has the reporter calls `flush`. */
  after?(ms: number, act: () => void): () => void
}

/** Where the next decision like the last is counted: kept with a credential, so that counting it costs an addition. */
export interface UsageCell {
  readonly counted: Counted
  readonly minute: number
  readonly scopes: readonly string[]
  count: number
  /** Once reported, it counts no more. */
  isOpen: boolean
}

interface Noted extends Omit<UsageReport['requests'][number], 'at'> {
  readonly atMs: number
}

const EVERY_MS = 1_000
/** What the server takes at once. */
const LARGEST_REPORT = 500
/** Beyond these, new cells count as route `*`, and then not at all, until the next report. */
const MOST_CELLS = 10_000
const MOST_REQUESTS = 500
const MOST_SCOPES = 500
/** While the server is away: the oldest reports go first. */
const MOST_REPORTS = 60
const NO_SCOPES: readonly string[] = []
/** What is longer, or has other characters, is no address: the server would refuse the whole report. */
const ADDRESS = /^[0-9A-Fa-f:.]{1,45}$/

export class UsageReporter {
  readonly #options: UsageReporterOptions
  #cells = new Map<string, UsageCell>()
  #requests: Noted[] = []
  #scopes = new Map<string, UsageReport['scopes'][number]>()
  readonly #reports: UsageReport[] = []
  #sending: Promise<void> | undefined
  #stopTimer: (() => void) | undefined
  #isStopped = false

  constructor(options: UsageReporterOptions) {
    this.#options = options
  }

  /** Reports what is left, once. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopTimer?.()
    await this.#sending
    await this.flush()
  }

  /** Counts a decision. Answers where the next one like it is counted: see `noteAgain`. */
  note(
    counted: Counted,
    address: string | undefined,
    scopes: readonly string[] = NO_SCOPES,
  ): UsageCell | undefined {
    const nowMs = this.#options.nowMs()
    const minute = Math.floor(nowMs / 60_000)
    let cell = this.#cell(counted, minute, scopes)
    if (!cell && counted.route !== '*') cell = this.#cell({ ...counted, route: '*' }, minute, scopes, 1.1)
    if (cell) cell.count++
    if (counted.result === 'valid' && counted.credential.startsWith('key_'))
      this.#noteScopes(counted.credential, scopes, nowMs)
    this.#remember(counted, address)
    if (this.#stopTimer === undefined) this.#keepReporting()
    // What is counted under another name is looked for anew each time.
    return cell?.counted.route === counted.route ? cell : undefined
  }

  /** Counts one more of the same credential; false when it has to be noted. */
  noteAgain(
    cell: UsageCell | undefined,
    { route, result }: Pick<Counted, 'route' | 'result'>,
    address: string | undefined,
    scopes: readonly string[],
  ): boolean {
    if (!cell?.isOpen || cell.counted.route !== route) return false
    if (cell.counted.result !== result || cell.scopes !== scopes) return false
    cell.count++
    this.#remember(cell.counted, address)
    return true
  }

  /** Never rejects: what was not taken is sent again the next time. */
  flush(): Promise<void> {
    return (this.#sending ??= this.#send().finally(() => (this.#sending = undefined)))
  }

  #keepReporting(): void {
    const { after } = this.#options
    if (!after || this.#isStopped) return
    this.#stopTimer = after(EVERY_MS, () => {
      this.#stopTimer = undefined
      void this.#report()
    })
  }

  async #report(): Promise<void> {
    await this.flush()
    const isLeft = this.#reports.length > 0 || this.#cells.size > 0
    if (isLeft && this.#stopTimer === undefined) this.#keepReporting()
  }

  #cell(counted: Counted, minute: number, scopes: readonly string[], room = 1): UsageCell | undefined {
    const { credential, client, tenant, resource, route, result } = counted
    const name = `${minute}\n${credential}\n${client ?? ''}\n${tenant}\n${resource}\n${route}\n${result}`
    let cell = this.#cells.get(name)
    if (cell) return cell
    if (this.#cells.size >= MOST_CELLS * room) return undefined
    cell = { counted, minute, scopes, count: 0, isOpen: true }
    this.#cells.set(name, cell)
    return cell
  }

  #remember({ credential, route, result }: Counted, address: string | undefined): void {
    if (credential === '' || this.#requests.length >= MOST_REQUESTS) return
    const atMs = this.#options.nowMs()
    const known = address !== undefined && ADDRESS.test(address)
    this.#requests.push({ atMs, credential, route, ...(known && { address }), result })
  }

  #noteScopes(credential: string, scopes: readonly string[], nowMs: number): void {
    for (const scope of scopes) {
      const name = `${credential} ${scope}`
      if (this.#scopes.size < MOST_SCOPES && !this.#scopes.has(name))
        this.#scopes.set(name, { at: new Date(nowMs).toISOString(), credential, scope })
    }
  }

  async #send(): Promise<void> {
    this.#close()
    while (this.#reports.length > 0) {
      try {
        await this.#options.send(this.#reports[0] as UsageReport)
      } catch {
        return
      }
      this.#reports.shift()
    }
  }

  /** Makes reports of what was counted: from here on they do not change. */
  #close(): void {
    const cells = [...this.#cells.values()]
    let requests = this.#requests.map(({ atMs, ...request }) => ({
      at: new Date(atMs).toISOString(),
      ...request,
    }))
    let scopes = [...this.#scopes.values()]
    this.#cells = new Map()
    this.#requests = []
    this.#scopes = new Map()
    for (const cell of cells) cell.isOpen = false
    for (let at = 0; at < cells.length; at += LARGEST_REPORT) {
      this.#reports.push({
        id: this.#options.newId(),
        counts: cells.slice(at, at + LARGEST_REPORT).map(({ counted, minute, count }) => ({
          ...counted,
          minute: new Date(minute * 60_000).toISOString(),
          count,
        })),
        requests,
        scopes,
      })
      requests = []
      scopes = []
    }
    if (this.#reports.length > MOST_REPORTS) this.#reports.splice(0, this.#reports.length - MOST_REPORTS)
  }
}
