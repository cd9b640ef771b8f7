/** A network between a node and its database that can be cut, with a sound or without. */
import { connect, createServer, type Socket } from 'node:net'

export interface CuttableProxy {
  readonly port: number
  /** Every connection breaks, new ones are refused at once: the database has stopped. */
  cut(): void
  /** Nothing arrives any more, on old connections or new ones, and nobody says so: the network has gone. */
  swallow(): void
  /** Connections made from now on work; those that were swallowed break. */
  mend(): void
  close(): Promise<void>
}

export async function startProxy(target: {
  readonly host: string
  readonly port: number
}): Promise<CuttableProxy> {
  let state: 'open' | 'cut' | 'swallowing' = 'open'
  const sockets = new Set<Socket>()
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    keep(client)
    if (state === 'cut') return void client.resetAndDestroy()
    if (state === 'swallowing') return
    const upstream = connect(target)
    keep(upstream)
    // Not pipe(): what is swallowed must be taken from the sender and go nowhere.
    client.on('data', (data) => state === 'open' && upstream.write(data))
    upstream.on('data', (data) => state === 'open' && client.write(data))
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => state === 'open' && client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const breakAll = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      state = 'cut'
      breakAll()
    },
    swallow() {
      state = 'swallowing'
    },
    mend() {
      if (state === 'swallowing') breakAll()
      state = 'open'
    },
    async close() {
      breakAll()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
