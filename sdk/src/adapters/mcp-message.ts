/**
 * Reads the JSON-RPC message of a request before the MCP SDK does, and hands on what was read: if the SDK parsed the body a
 * second time, it could find another tool in it than the one that was checked.
 */

/** The same bound as the MCP SDKs have. */
const LARGEST_BYTES = 4 * 1024 * 1024

export const UNREADABLE = 'error'

export interface UnreadableMessage {
  readonly status: number
  readonly error: object
}

/** The message, and a request that still has a body. */
export async function readWebMessage(
  request: Request,
): Promise<UnreadableMessage | { readonly json: unknown; readonly request: Request }> {
  const bytes = await collect(request.body ?? [])
  const message = parse(bytes)
  if (UNREADABLE in message) return message
  const { url, method, headers, signal } = request
  return { json: message.json, request: new Request(url, { method, headers, signal, body: bytes ?? null }) }
}

export async function readNodeMessage(
  request: AsyncIterable<unknown>,
): Promise<UnreadableMessage | { readonly json: unknown }> {
  return parse(await collect(request))
}

/** Undefined when there is more than anyone may send; empty when it breaks off. */
async function collect(body: AsyncIterable<unknown> | []): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body) {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : (chunk as Uint8Array)
      length += bytes.byteLength
      if (length > LARGEST_BYTES) return undefined
      chunks.push(bytes)
    }
  } catch {
    return new Uint8Array()
  }
  const all = new Uint8Array(length)
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.byteLength
  }
  return all
}

function parse(bytes: Uint8Array | undefined): UnreadableMessage | { readonly json: unknown } {
  if (bytes === undefined) return unreadable(413, -32_000, 'The message is too large.')
  try {
    return { json: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown }
  } catch {
    return unreadable(400, -32_700, 'Parse error')
  }
}

function unreadable(status: number, code: number, message: string): UnreadableMessage {
  return { status, error: { jsonrpc: '2.0', error: { code, message }, id: null } }
}
