/** Reads server-sent events (HTML, section 9.2) out of the pieces in which a body arrives. */

export interface ServerEvent {
  readonly event: string
  readonly data: string
}

/** An event of the feed has a few hundred characters, and one with keys a few thousand. */
const LONGEST_EVENT = 1024 * 1024

export class EventStream {
  readonly #decoder = new TextDecoder()
  #rest = ''
  #event = ''
  #data = ''
  #hasData = false

  /** The events that this piece completes, in order. Throws a RangeError when one has no end. */
  push(bytes: Uint8Array): ServerEvent[] {
    const events: ServerEvent[] = []
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true })
    let start = 0
    for (;;) {
      const end = endOfLine(text, start)
      if (end < 0) break
      const line = text.slice(start, end)
      start = end + (text[end] === '\r' && text[end + 1] === '\n' ? 2 : 1)
      if (line === '') this.#dispatch(events)
      else this.#read(line)
    }
    this.#rest = text.slice(start)
    if (this.#rest.length + this.#data.length > LONGEST_EVENT) throw new RangeError('an event without end')
    return events
  }

  #read(line: string): void {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'event') this.#event = value
    else if (name === 'data') {
      this.#data += this.#hasData ? `\n${value}` : value
      this.#hasData = true
    }
  }

  #dispatch(events: ServerEvent[]): void {
    if (this.#hasData) events.push({ event: this.#event || 'message', data: this.#data })
    this.#event = ''
    this.#data = ''
    this.#hasData = false
  }
}

/** Where the line ends; -1 when that is not known yet: a CR at the very end may be half of a CRLF. */
function endOfLine(text: string, from: number): number {
  const feed = text.indexOf('\n', from)
  const line = feed < 0 ? text.slice(from) : text.slice(from, feed)
  const carriage = line.indexOf('\r')
  if (carriage < 0) return feed
  const at = from + carriage
  return at === text.length - 1 ? -1 : at
}
