import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { protect } from '../../src/adapters/node.ts'
import type { Principal } from '../../src/index.ts'
import type { StartApi } from '../adapters.test.ts'

export const nodeApi: StartApi = async (verifier, { forwarded = false } = {}) => {
  const answer = (_: IncomingMessage, response: ServerResponse, principal: Principal | undefined) =>
    response.end(JSON.stringify({ sub: principal?.sub ?? null }))
  const options = forwarded
    ? { clientIp: (request: IncomingMessage) => String(request.headers['x-forwarded-for']) }
    : {}
  const read = protect(verifier, answer, { ...options, scopes: 'orders:read' })
  const write = protect(verifier, answer, { ...options, scopes: ['orders:read', 'orders:write'] })
  const optional = protect(verifier, answer, { ...options, scopes: 'orders:read', optional: true })
  const demands = { acrValues: ['high'], maxAgeSeconds: 600, whenDegraded: 'closed' } as const
  const strong = protect(verifier, answer, { ...options, scopes: 'orders:read', ...demands })
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/strong')) return strong(request, response)
    if (request.url?.startsWith('/optional')) return optional(request, response)
    return request.method === 'POST' ? write(request, response) : read(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
