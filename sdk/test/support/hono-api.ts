import { serve, type ServerType } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { Hono } from 'hono'
import type { AddressInfo } from 'node:net'
import { createGuard } from '../../src/adapters/hono.ts'
import type { StartApi } from '../adapters.test.ts'

export const honoApi: StartApi = async (verifier, { forwarded = false } = {}) => {
  const postern = createGuard(verifier, {
    clientIp: (c) => (forwarded ? c.req.header('x-forwarded-for') : getConnInfo(c).remote.address),
  })
  const app = new Hono()
  app.get('/orders', postern('orders:read'), (c) => c.json({ sub: c.get('principal').sub }))
  app.post('/orders', postern(['orders:read', 'orders:write']), (c) =>
    c.json({ sub: c.get('principal').sub }),
  )
  app.get('/optional', postern('orders:read', { optional: true }), (c) =>
    c.json({ sub: c.get('principal')?.sub ?? null }),
  )
  const strong = postern('orders:read', { acrValues: ['high'], maxAgeSeconds: 600, whenDegraded: 'closed' })
  app.get('/strong', strong, (c) => c.json({ sub: c.get('principal').sub }))
  const v2 = new Hono()
  v2.get('/orders', postern('orders:read'), (c) => c.json({ sub: c.get('principal').sub }))
  app.route('/v2', v2)
  const server = await new Promise<ServerType>((resolve) => {
    const listening: ServerType = serve({ fetch: app.fetch, port: 0 }, () => resolve(listening))
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
    },
  }
}
