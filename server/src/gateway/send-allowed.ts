/**
 * The answer to a request that passes, whose head is put together and checked once for each caller and upstream, and not
 * for each request: looking at 1.4 kB of header values again cost more than judging the request.
 *
 * What `ServerResponse` sends is what stands in `_header`, which `writeHead` fills; all else stays its own: the order of
 * answers on one connection, the connection's reuse, its end.
 */
import type { ServerResponse } from 'node:http'

/** A head as `writeHead` takes it, and as text. */
export interface AnswerHead {
  /** Names and values in turn. */
  readonly headers: readonly string[]
  readonly text: string
}

/** Throws on what may not stand in a header, which would be another header. */
export function answerHead(headers: readonly string[]): AnswerHead {
  let text = 'HTTP/1.1 200 OK\r\n'
  for (let at = 0; at < headers.length; at += 2) {
    const value = headers[at + 1] as string
    if (!/^[\x20-\x7E]*$/.test(value)) throw new TypeError(`${headers[at]} is not printable ASCII`)
    text += `${headers[at]}: ${value}\r\n`
  }
  return { headers, text }
}

interface Head {
  _header: string | null
  shouldKeepAlive: boolean
}

/** `more`: names and values in turn, of this answer alone. */
export function sendAllowed(
  response: ServerResponse,
  { headers, text }: AnswerHead,
  more: readonly string[],
): void {
  const head = response as unknown as Head
  // HTTP/1.1 goes on with a connection of which nothing is said; of one that ends `writeHead` says so.
  if (more.length === 0 && head.shouldKeepAlive === true && response.req.httpVersionMinor === 1)
    // oxlint-disable-next-line no-underscore-dangle -- Node names it so
    head._header = `${text}Date: ${dateText()}\r\n\r\n`
  else response.writeHead(200, (more.length === 0 ? headers : [...headers, ...more]) as string[])
  response.end()
}

let second = 0
let date = ''

/** RFC 9110, section 6.6.1. */
function dateText(): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== second) {
    second = now
    date = new Date(now * 1000).toUTCString()
  }
  return date
}
