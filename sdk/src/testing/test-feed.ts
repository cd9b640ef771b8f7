/** The feed of a test issuer: snapshot, stream and long poll over rows in memory, and what can go wrong with them. */
import type { TestClock } from './test-clock.ts'
import type { Faults } from './test-issuer.ts'

export interface TestRow {
  readonly seq: number
  readonly kind: string
  readonly key: string
  readonly effect: string
  readonly at: number
  readonly drop_after: number
}

interface Stream {
  readonly receivedAtMs: number
  /** What a proxy holds back. */
  held: string
  send(text: string): void
  /** Passes on what was held back. */
  release(): void
  end(): void
}

const KEPT_MS = 3_600_000
const BEAT_MS = 1_000
const LUMP_MS = 2_500

export class TestFeed {
  readonly rows: TestRow[] = []
  readonly #clock: TestClock
  readonly #faults: Faults
  /** What a snapshot says besides the feed. */
  #about: Readonly<Record<string, unknown>>
  readonly #streams = new Set<Stream>()
  #epoch = 1
  #resumeFloor = 0
  #head: number
  /** Requests, by what they asked for: to see what a verifier does. */
  readonly requests = { snapshot: 0, stream: 0, events: 0 }

  constructor(clock: TestClock, faults: Faults, about: Readonly<Record<string, unknown>>) {
    this.#clock = clock
    this.#faults = faults
    this.#about = about
    this.#head = clock.nowMs() * 1000
    this.#beatLater()
    this.#releaseLater()
  }

  get head(): number {
    return this.#head
  }

  get jwks(): unknown {
    return this.#about['jwks']
  }

  get openStreams(): number {
    return this.#streams.size
  }

  publish(kind: string, key: string, effect: string): TestRow {
    const at = this.#clock.nowMs()
    this.#head = Math.max(this.#head + 1, at * 1000)
    const row = { seq: this.#head, kind, key, effect, at, drop_after: at + KEPT_MS }
    this.rows.push(row)
    this.#broadcast(this.#event('row', { ...row, epoch: this.#epochName() }, row.seq))
    this.#beat()
    return row
  }

  /** Deletes the rows whose time is over: who asks from before them begins anew. */
  purge(): void {
    for (const row of this.rows.filter(({ drop_after: end }) => end < this.#clock.nowMs())) {
      this.#resumeFloor = Math.max(this.#resumeFloor, row.seq)
      this.rows.splice(this.rows.indexOf(row), 1)
    }
  }

  #isBehind(after: number): boolean {
    return after < this.#resumeFloor
  }

  /** Another set of keys, told to whoever listens. */
  setKeys(keys: readonly object[]): void {
    this.#about = { ...this.#about, jwks: { keys } }
    this.#broadcast(this.#event('jwks', this.#about['jwks'] as object))
  }

  /** A restored database: what verifiers know no longer leads to what is. `lost` rows are gone from it. */
  beginEpoch(lost: readonly TestRow[] = []): void {
    for (const row of lost) this.rows.splice(this.rows.indexOf(row), 1)
    this.#epoch++
    this.#head++
    this.#broadcast(this.#event('reset', { epoch: this.#epochName(), head: this.#head }))
    this.breakOff()
  }

  /** Ends every connection, as a server does that is restarted. */
  breakOff(): void {
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
  }

  async answer(url: URL, signal: AbortSignal | undefined): Promise<Response> {
    const what = url.pathname.slice('/v1/feed/'.length) as keyof TestFeed['requests']
    this.requests[what]++
    const { feed } = this.#faults
    if (feed === 'down') throw new TypeError('fetch failed')
    if (feed === 'half-open') return aborted(signal)
    if (what === 'stream') return this.#open(Number(url.searchParams.get('after')), signal)
    if (feed === 'silent') return Response.json({}, { status: 503 })
    if (what === 'snapshot') return Response.json({ ...this.#promise(), ...this.#about, rows: this.rows })
    return this.#poll(url)
  }

  async #poll({ searchParams }: URL): Promise<Response> {
    const epoch = searchParams.get('epoch')
    const after = Number(searchParams.get('after'))
    if ((epoch !== null && epoch !== this.#epochName()) || this.#isBehind(after))
      return Response.json({ reset: true, epoch: this.#epochName(), head: this.#head })
    const found = () => this.rows.filter((row) => row.seq > after)
    const waitMs = Number(searchParams.get('wait')) * 1000
    if (found().length === 0 && waitMs > 0)
      await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve))
    const keys = searchParams.get('jwks') === 'tag' ? {} : { jwks: this.#about['jwks'] }
    return Response.json({ ...this.#promise(), rows: found(), jwks_etag: 'tag', ...keys })
  }

  #open(after: number, signal: AbortSignal | undefined): Response {
    const encoder = new TextEncoder()
    let opened: Stream | undefined
    const body = new ReadableStream<Uint8Array>({
      cancel: () => void (opened && this.#streams.delete(opened)),
      start: (controller) => {
        const stream: Stream = {
          receivedAtMs: this.#clock.monotonicMs(),
          held: '',
          send: (text) => {
            if (this.#faults.feed === 'lumps') stream.held += text
            else controller.enqueue(encoder.encode(text))
          },
          release: () => {
            if (stream.held !== '') controller.enqueue(encoder.encode(stream.held))
            stream.held = ''
          },
          end: () => controller.close(),
        }
        signal?.addEventListener('abort', () => {
          this.#streams.delete(stream)
          controller.error(signal.reason)
        })
        opened = stream
        this.#streams.add(stream)
        if (!this.#isHeard()) return
        stream.send(`: feed\n\n${this.#event('jwks', this.#about['jwks'] as object)}`)
        if (this.#isBehind(after)) {
          stream.send(this.#event('reset', { epoch: this.#epochName(), head: this.#head }))
          this.#streams.delete(stream)
          return stream.end()
        }
        for (const row of this.rows)
          if (row.seq > after) stream.send(this.#event('row', { ...row, epoch: this.#epochName() }, row.seq))
        this.#beatTo(stream)
      },
    })
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
  }

  #isHeard(): boolean {
    return ['up', 'silent', 'lumps'].includes(this.#faults.feed)
  }

  #broadcast(text: string): void {
    this.#cut()
    for (const stream of this.#streams) stream.send(text)
  }

  #beat(): void {
    this.#cut()
    for (const stream of this.#streams) this.#beatTo(stream)
  }

  /** What is not passed on now never comes: nothing more is heard of these connections. */
  #cut(): void {
    if (!this.#isHeard()) this.#streams.clear()
  }

  #beatTo(stream: Stream): void {
    if (this.#faults.feed === 'silent') return
    const streamMs = Math.floor(this.#clock.monotonicMs() - stream.receivedAtMs)
    stream.send(this.#event('heartbeat', { ...this.#promise(), stream_ms: streamMs }))
  }

  #beatLater(): void {
    this.#clock.after(BEAT_MS, () => {
      this.#beat()
      this.#beatLater()
    })
  }

  #releaseLater(): void {
    this.#clock.after(LUMP_MS, () => {
      for (const stream of this.#streams) stream.release()
      this.#releaseLater()
    })
  }

  #promise(): object {
    return { epoch: this.#epochName(), head: this.#head, now: this.#clock.nowMs(), age_ms: 0 }
  }

  #epochName(): string {
    return `epoch${this.#epoch}`
  }

  #event(name: string, data: object, id?: number): string {
    return `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error))
  })
}
