/** A verifier's ear for tests: an SSE connection, read event by event, that can be broken off or left unread. */
import { type ClientRequest, get, type IncomingMessage } from 'node:http'
import type { Json } from './deployment.ts'

/** Against hanging; whatever is waited for comes in a fraction of it. */
const NO_HANG_MS = 15_000

export interface FeedEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: Json
}

export interface Following {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Everything so far, in order. */
  readonly events: FeedEvent[]
  /** The body of a refusal. */
  refusal(): Promise<Json>
  /** The first event that fits, of those that came and those that will; rejects when the stream ends without one. */
  event(fits: (event: FeedEvent) => boolean): Promise<FeedEvent>
  rows(): Json[]
  /** Resolves once the server has ended it. */
  readonly ended: Promise<void>
  /** Stops reading, and keeps the connection. */
  stall(): void
  cut(): void
}

export async function follow(address: string, path: string, key: string): Promise<Following> {
  const { promise, resolve, reject } = Promise.withResolvers<[ClientRequest, IncomingMessage]>()
  const request = get(`${address}${path}`, { headers: { authorization: `Bearer ${key}` } }, (response) =>
    resolve([request, response]),
  )
  request.on('error', reject)
  const [, response] = await promise
  const events: FeedEvent[] = []
  const waiting = new Set<() => void>()
  let text = ''
  let over = false
  const ended = new Promise<void>((done) =>
    response.on('close', () => {
      over = true
      for (const look of waiting) look()
      done()
    }),
  )
  response.on('error', () => {})
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (response.statusCode !== 200) return
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = parse(text.slice(0, end))
      text = text.slice(end + 2)
      if (event) events.push(event)
    }
    for (const look of waiting) look()
  })
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events,
    ended,
    async refusal() {
      await ended
      return JSON.parse(text) as Json
    },
    event: (fits) =>
      new Promise((found, failed) => {
        const look = (): void => {
          const event = events.find(fits)
          if (!event && !over) return
          waiting.delete(look)
          clearTimeout(patience)
          if (event) found(event)
          else failed(new Error(`The stream ended first, after ${JSON.stringify(events.slice(-3))}`))
        }
        const patience = setTimeout(() => {
          waiting.delete(look)
          failed(new Error(`It did not come, after ${JSON.stringify(events.slice(-3))}`))
        }, NO_HANG_MS)
        waiting.add(look)
        look()
      }),
    rows: () => events.filter(({ event }) => event === 'row').map(({ data }) => data as Json),
    stall: () => void response.pause(),
    cut: () => void request.destroy(),
  }
}

function parse(text: string): FeedEvent | undefined {
  const fields = Object.fromEntries(
    text
      .split('\n')
      .filter((line) => !line.startsWith(':'))
      .map((line) => line.split(/: (.*)/s).slice(0, 2)),
  ) as Record<string, string>
  if (fields['event'] === undefined) return undefined
  return { event: fields['event'], id: fields['id'], data: JSON.parse(fields['data'] as string) as Json }
}
