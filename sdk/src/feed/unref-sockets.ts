/**
 * An open stream must not keep a program alive that has nothing else to do. `fetch` says nothing about its connections;
 * Node's tells of each request it sends in a diagnostics channel, with the socket. Where there is no such channel,
 * `verifier.close()` is what lets a program end.
 */

import { builtinModule } from '../builtin-module.ts'

interface Sent {
  readonly request: { readonly path?: unknown }
  readonly socket: { unref?(): void }
}

interface Channels {
  subscribe(name: string, listener: (message: unknown) => void): void
  unsubscribe(name: string, listener: (message: unknown) => void): void
}

const SENT = 'undici:client:sendHeaders'
let open = 0

/** From here on, until the answer is called, requests to a feed do not keep the process alive. */
export function unrefSockets(): () => void {
  const channels = builtinModule('node:diagnostics_channel') as Channels | undefined
  if (!channels) return () => {}
  if (open++ === 0) channels.subscribe(SENT, unrefOne)
  return () => {
    if (--open === 0) channels.unsubscribe(SENT, unrefOne)
  }
}

function unrefOne(message: unknown): void {
  const { request, socket } = message as Sent
  if (typeof request?.path === 'string' && request.path.includes('/v1/feed/')) socket?.unref?.()
}
