/** A proxy that collects streams before it passes them on, and lets everything else through as it comes. */
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface BufferingProxy {
  readonly url: string
  /** Requests by their path, without the query. */
  readonly asked: Readonly<Record<string, number>>
  close(): void
}

export async function bufferingProxy(target: URL, holdMs: number): Promise<BufferingProxy> {
  const asked: Record<string, number> = {}
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer((incoming, outgoing) => {
    const path = (incoming.url ?? '').split('?')[0] as string
    asked[path] = (asked[path] ?? 0) + 1
    const { hostname: host, port } = target
    const { method, headers, url } = incoming
    const upstream = httpRequest({ host, port, method, headers, path: url }, (answer) => {
      if (!/event-stream/.test(String(answer.headers['content-type']))) {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        return void answer.pipe(outgoing)
      }
      let held: Buffer[] = []
      const timer = setInterval(() => {
        if (!outgoing.headersSent) outgoing.writeHead(200, answer.headers)
        outgoing.write(Buffer.concat(held.splice(0)))
      }, holdMs)
      timers.add(timer)
      answer.on('data', (piece: Buffer) => held.push(piece))
      answer.on('error', () => outgoing.destroy())
      outgoing.on('close', () => {
        clearInterval(timer)
        held = []
        upstream.destroy()
      })
    })
    upstream.on('error', () => outgoing.destroy())
    incoming.pipe(upstream)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close() {
      for (const timer of timers) clearInterval(timer)
      server.closeAllConnections()
      server.close()
    },
  }
}
