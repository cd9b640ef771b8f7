import express from 'express'
import type { AddressInfo } from 'node:net'
import { createGuard, principalOf } from '../../src/adapters/express.ts'
import type { StartApi } from '../adapters.test.ts'

export const expressApi: StartApi = async (verifier, { forwarded = false } = {}) => {
  const postern = createGuard(verifier)
  const app = express()
  app.set('trust proxy', forwarded)
  app.get('/orders', postern('orders:read'), (req, res) => void res.json({ sub: principalOf(req).sub }))
  app.post(
    '/orders',
    postern(['orders:read', 'orders:write']),
    (req, res) => void res.json({ sub: principalOf(req).sub }),
  )
  app.get('/optional', postern('orders:read', { optional: true }), (req, res) => {
    res.json({ sub: req.principal?.sub ?? null })
  })
  const strong = postern('orders:read', { acrValues: ['high'], maxAgeSeconds: 600, whenDegraded: 'closed' })
  app.get('/strong', strong, (req, res) => void res.json({ sub: principalOf(req).sub }))
  const v2 = express.Router()
  v2.get('/orders', postern('orders:read'), (req, res) => void res.json({ sub: principalOf(req).sub }))
  app.use('/v2', v2)
  const server = app.listen(0)
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
