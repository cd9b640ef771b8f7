/** Server-sent events (HTML, section 9.2.6) out of lines, as far as our own server sends them. */

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

export async function* serverSentEvents(
  lines: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  let event = 'message'
  let data: string[] = []
  for await (const line of lines) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n') }
      event = 'message'
      data = []
      continue
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
    if (field === 'event') event = value
    if (field === 'data') data.push(value)
  }
}
