/** Names for requests: short, unique across processes, and the proxy's own where the proxy is trusted. */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const FOREIGN_ID = /^[\w.:-]{1,64}$/

export function requestIds(isTrusted?: (address: string) => boolean): (request: IncomingMessage) => string {
  const process = randomBytes(6).toString('base64url')
  let count = 0
  const next = (): string => {
    count = (count + 1) % 0x7fffffff
    return `${process}-${count.toString(36)}`
  }
  if (!isTrusted) return next
  return (request) => {
    const foreign = request.headers['x-request-id']
    // Anyone else could write what they like into our log and make two requests look like one.
    const believed = typeof foreign === 'string' && FOREIGN_ID.test(foreign)
    return believed && isTrusted(request.socket.remoteAddress ?? '') ? foreign : next()
  }
}
