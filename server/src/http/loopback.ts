/** Whether a request was made on this very machine, with no proxy between. */
import type { FastifyRequest } from 'fastify'
import { inCidrs, parseCidrs } from '../kernel/index.ts'

const LOOPBACK = parseCidrs(['127.0.0.0/8', '::1'])

/** A proxy on this machine speaks from loopback for callers from anywhere: any trace of one says no. */
export function isFromThisMachine(request: FastifyRequest): boolean {
  const { headers, raw } = request
  if (headers['x-forwarded-for'] ?? headers['forwarded'] ?? headers['via'] ?? headers['x-real-ip'])
    return false
  return inCidrs(raw.socket.remoteAddress ?? '', LOOPBACK) && isLocalName(request.hostname)
}

/** A web page's script that reaches this port by DNS rebinding comes with the page's own host name. */
function isLocalName(name: string): boolean {
  const bare = name.replace(/^\[(.*)\]$/, '$1')
  return bare === 'localhost' || inCidrs(bare, LOOPBACK)
}
