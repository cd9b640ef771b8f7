/**
 * The load, a program of its own: sends prepared requests over bare sockets, one at a time on each, for a while, and
 * says how many were answered and how fast. Much cheaper for each request than any server, so that the server is what
 * is measured. Takes a line of JSON for each run on standard input, answers one on standard output.
 */
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { percentile } from './measure.ts'

export interface LoadRun {
  readonly port: number
  readonly connections: number
  readonly milliseconds: number
  /** Stop after so many answers, at the latest after `milliseconds`. */
  readonly most?: number
  /** Sent in turn; with `most` no more than once each. */
  readonly requests: readonly LoadRequest[]
}

export interface LoadRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface LoadResult {
  readonly answered: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly longestMs: number
  /** Answers with another status than 200 or 201. */
  readonly refused: number
  /** One of the bodies. */
  readonly sample: string
}

const EMPTY: Buffer = Buffer.alloc(0)

async function run({ port, connections, milliseconds, most, requests }: LoadRun): Promise<LoadResult> {
  const texts = requests.map((request) => textOf(request, port))
  const tookMs: number[] = []
  let sent = 0
  let refused = 0
  let sample = ''
  const startedMs = performance.now()
  const more = (): boolean =>
    performance.now() - startedMs < milliseconds && (most === undefined || sent < most)

  await Promise.all(
    Array.from({ length: connections }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let sentMs = 0
      let pending: Buffer = EMPTY
      const next = (): void => {
        if (!more()) return void socket.end()
        sentMs = performance.now()
        socket.write(texts[sent++ % texts.length] as Buffer)
      }
      socket.on('connect', next)
      socket.on('data', (data: Buffer) => {
        pending = pending.length === 0 ? data : Buffer.concat([pending, data])
        const head = pending.indexOf('\r\n\r\n')
        if (head < 0) return
        const length = contentLength(pending, head)
        if (pending.length < head + 4 + length) return
        tookMs.push(performance.now() - sentMs)
        // "HTTP/1.1 200": the two digits after the first tell a success.
        if (pending[9] !== 0x32) refused++
        if (sample === '') sample = pending.subarray(head + 4).toString()
        pending = EMPTY
        next()
      })
      socket.on('error', reject)
      socket.on('close', () => resolve())
      return promise
    }),
  )
  const seconds = (performance.now() - startedMs) / 1000
  const sorted = Float64Array.from(tookMs).sort() as unknown as number[]
  return {
    answered: tookMs.length,
    perSecond: tookMs.length / seconds,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    longestMs: percentile(sorted, 100),
    refused,
    sample,
  }
}

function textOf({ method, path, headers, body }: LoadRequest, port: number): Buffer {
  const all = { host: `127.0.0.1:${port}`, ...headers, 'content-length': String(Buffer.byteLength(body)) }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** As Fastify writes it, and as Koa does. */
const NAMES = ['content-length: ', 'Content-Length: '].map((name) => Buffer.from(name))
const NAME = NAMES[0] as Buffer

function contentLength(answer: Buffer, head: number): number {
  const at = Math.max(...NAMES.map((name) => answer.indexOf(name)))
  if (at < 0 || at > head) return 0
  let length = 0
  for (let place = at + NAME.length; (answer[place] as number) >= 0x30; place++)
    length = length * 10 + (answer[place] as number) - 0x30
  return length
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await run(JSON.parse(line) as LoadRun)
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
