/** A request's body, read before the engine is asked, and given back to it: it reads bodies itself, as a stream. */
import type { IncomingMessage } from 'node:http'

/** Forms that grant nothing but an ordinary token are far smaller. */
const SMALL_BYTES = 4_096
const NOTHING: Buffer = Buffer.alloc(0)

/**
 * The whole body; undefined, and unread, for one that is large or does not say how long it is. Of a connection that
 * breaks, what had come: the engine refuses a body that is shorter than it was said to be.
 */
export function readSmallBody(req: IncomingMessage): Promise<Buffer> | undefined {
  const length = Number(req.headers['content-length'] ?? Number.NaN)
  if (!(length <= SMALL_BYTES) || req.headers['content-encoding'] !== undefined) return undefined
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  let whole: Buffer = NOTHING
  req.on('data', (chunk: Buffer) => (whole = whole.length === 0 ? chunk : Buffer.concat([whole, chunk])))
  req.on('end', () => resolve(whole))
  req.on('error', () => resolve(whole))
  return promise
}

/** Makes `req` look unread to the engine, which asks for these two. */
export function giveBack(req: IncomingMessage, body: Buffer): void {
  Object.defineProperties(req, {
    readable: { value: true },
    iterator: {
      value: async function* () {
        yield body
      },
    },
  })
}
