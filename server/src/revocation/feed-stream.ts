/** One follower over server-sent events (HTML, section 9.2): the connection, its bounds and its end. */
import type { ServerResponse } from 'node:http'
import type { Clock, DenialCode } from '../kernel/index.ts'
import type { Follower } from './feed-broadcast.ts'
import type { FeedRow } from './feed-row.ts'
import { type Beat, eventText, RowBatch } from './feed-wire.ts'

/** A reader that leaves more than this unread is slower than the feed: it comes back and resumes. */
const MOST_UNREAD_BYTES = 1_048_576
/** While it resumes it is waited for, so that nobody's gap fills the memory. */
const RESUME_UNREAD_BYTES = 65_536
/** Both clocks drift: a stream ends after about an hour, no two at once. */
const LIFE_MS = 3_600_000
const JITTER_MS = 600_000
const LAST_WORDS_MS = 5_000

export interface StreamPorts {
  readonly clock: Clock
  readonly tenant: string | null
  /** The monotonic clock when the request was received. */
  readonly receivedAtMs: number
  jwks(): string
}

export class FeedStream implements Follower {
  readonly #response: ServerResponse
  readonly #ports: StreamPorts
  readonly #endsAtMs: number

  /** Writes the head of the answer. */
  constructor(response: ServerResponse, ports: StreamPorts, headers: Readonly<Record<string, string>>) {
    this.#response = response
    this.#ports = ports
    this.#endsAtMs = ports.receivedAtMs + LIFE_MS - JITTER_MS + Math.random() * JITTER_MS * 2
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      // Not for proxies to keep, nor to collect before they hand it on.
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    })
    response.on('error', () => response.destroy())
    // Something at once, so that the reader knows that it is connected and that nobody holds the answer back.
    response.write(': feed\n\n')
  }

  get gone(): boolean {
    return this.#response.writableEnded || this.#response.destroyed
  }

  rows(batch: RowBatch): void {
    const bytes = batch.events(this.#ports.tenant)
    if (bytes) this.#write(bytes)
  }

  /** While resuming: waits until the reader has taken most of it. */
  async earlierRows(rows: readonly FeedRow[]): Promise<void> {
    const bytes = new RowBatch(rows).events(this.#ports.tenant)
    if (!bytes || this.gone) return
    this.#response.write(bytes)
    while (this.#response.writableLength > RESUME_UNREAD_BYTES && !this.gone) await drained(this.#response)
  }

  beat(beat: Beat): void {
    const { clock, receivedAtMs } = this.#ports
    const nowMs = clock.monotonicMs()
    const streamMs = Math.floor(nowMs - receivedAtMs)
    this.#write(eventText('heartbeat', `${beat.text},"stream_ms":${streamMs}}`))
    if (nowMs > this.#endsAtMs) this.close()
  }

  keysChanged(): void {
    this.#write(eventText('jwks', this.#ports.jwks()))
  }

  reset(epoch: string, head: number): void {
    this.#write(eventText('reset', JSON.stringify({ epoch, head })))
    this.close()
  }

  end(code: DenialCode): void {
    this.#write(eventText('end', JSON.stringify({ code })))
    this.close()
  }

  close(): void {
    if (this.gone) return
    this.#response.end()
    // One that does not read would keep its connection, and what it has not read, for as long as it likes.
    setTimeout(() => this.#response.destroy(), LAST_WORDS_MS).unref()
  }

  #write(data: Buffer | string): void {
    if (this.gone) return
    this.#response.write(data)
    if (this.#response.writableLength > MOST_UNREAD_BYTES) this.#response.destroy()
  }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}
