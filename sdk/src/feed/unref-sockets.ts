/**
 * An open stream must not keep a program alive that has nothing else to do. `fetch` says nothing about its connections;
 * Node's tells of each request it sends in a diagnostics channel, with the socket. Where there is no such channel,
 * `verifier.close()` is what lets a program end.
 */

import { builtinModule } from '../builtin-module.ts'

interface Sent {
  readonly request: { readonly origin?: unknown; readonly path?: unknown }
  readonly socket: { unref?(): void }
}

interface Channels {
  subscribe(name: string, listener: (message: unknown) => void): void
  unsubscribe(name: string, listener: (message: unknown) => void): void
}

const SENT = 'undici:client:sendHeaders'
/** Of the feeds that are being asked, and how many requests are on their way to each. */
const open = new Map<string, number>()

/** From here on, until the answer is called, requests for what begins with `url` do not keep the process alive. */
export function unrefSockets(url: string): () => void {
  const channels = builtinModule('node:diagnostics_channel') as Channels | undefined
  if (!channels) return () => {}
  if (open.size === 0) channels.subscribe(SENT, unrefOne)
  open.set(url, (open.get(url) ?? 0) + 1)
  return () => {
    const left = (open.get(url) ?? 0) - 1
    if (left > 0) open.set(url, left)
    else open.delete(url)
    if (open.size === 0) channels.unsubscribe(SENT, unrefOne)
  }
}

function unrefOne(message: unknown): void {
  const { request, socket } = message as Sent
  const sent = `${String(request?.origin)}${String(request?.path)}`
  // The program's own requests go over the same channel.
  for (const url of open.keys()) if (sent.startsWith(url)) socket?.unref?.()
}
