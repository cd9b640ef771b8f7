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
}

export interface UsageReporterOptions {
  /** `POST /v1/usage/reports`; rejects when the server did not take it. */
  send(report: UsageReport): Promise<unknown>
  /** Unix milliseconds. */
  nowMs(): number
  /** Random text of at least 16 characters. */
  newId(): string
}

interface Cell {
  readonly counted: Counted
  readonly minute: number
  count: number
}

const EVERY_MS = 1_000
/** What the server takes at once. */
const LARGEST_REPORT = 500
/** Beyond these, new cells count as route `*`, and then not at all, until the next report. */
const MOST_CELLS = 10_000
const MOST_REQUESTS = 500
/** While the server is away: the oldest reports go first. */
const MOST_REPORTS = 60

export class UsageReporter {
  readonly #options: UsageReporterOptions
  #cells = new Map<string, Cell>()
  #requests: UsageReport['requests'][number][] = []
  readonly #reports: UsageReport[] = []
  #sending: Promise<void> | undefined
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(options: UsageReporterOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush(), EVERY_MS)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }

  /** Reports what is left, once. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sending
    await this.flush()
  }

  note(counted: Counted, address: string | undefined): void {
    const nowMs = this.#options.nowMs()
    const minute = Math.floor(nowMs / 60_000)
    if (!this.#count(counted, minute) && counted.route !== '*')
      this.#count({ ...counted, route: '*' }, minute, 1.1)
    const { credential, route, result } = counted
    if (credential !== '' && this.#requests.length < MOST_REQUESTS)
      this.#requests.push({
        at: new Date(nowMs).toISOString(),
        credential,
        route,
        ...(address !== undefined && { address }),
        result,
      })
  }

  /** Never rejects: what was not taken is sent again the next time. */
  flush(): Promise<void> {
    return (this.#sending ??= this.#send().finally(() => (this.#sending = undefined)))
  }

  #count(counted: Counted, minute: number, room = 1): boolean {
    const { credential, client, tenant, resource, route, result } = counted
    const name = `${minute}\n${credential}\n${client ?? ''}\n${tenant}\n${resource}\n${route}\n${result}`
    const cell = this.#cells.get(name)
    if (cell) cell.count++
    else if (this.#cells.size < MOST_CELLS * room) this.#cells.set(name, { counted, minute, count: 1 })
    else return false
    return true
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
    let requests = this.#requests
    this.#cells = new Map()
    this.#requests = []
    for (let at = 0; at < cells.length; at += LARGEST_REPORT) {
      this.#reports.push({
        id: this.#options.newId(),
        counts: cells.slice(at, at + LARGEST_REPORT).map(({ counted, minute, count }) => ({
          ...counted,
          minute: new Date(minute * 60_000).toISOString(),
          count,
        })),
        requests,
      })
      requests = []
    }
    if (this.#reports.length > MOST_REPORTS) this.#reports.splice(0, this.#reports.length - MOST_REPORTS)
  }
}
