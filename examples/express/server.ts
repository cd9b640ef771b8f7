/** An orders API on Express: `orders:read` to read, `orders:write` to write, and a health check for anyone. */
import { createVerifier } from '@postern/sdk'
import { createGuard, principalOf } from '@postern/sdk/express'
import express from 'express'

const verifier = createVerifier({
  server: process.env.POSTERN_SERVER ?? 'http://localhost:4800',
  credential: process.env.POSTERN_CREDENTIAL,
  resource: process.env.POSTERN_RESOURCE ?? 'https://api.example.com',
})
const postern = createGuard(verifier)

interface Order {
  readonly id: number
  readonly tenant: string
  readonly placedBy: string
  readonly item: string
}
const orders: Order[] = []

const app = express()

app.get('/health', (_req, res) => {
  res.json({ status: 'ok' })
})

app.get('/orders', postern('orders:read'), (req, res) => {
  const { tenant } = principalOf(req)
  res.json(orders.filter((order) => order.tenant === tenant))
})

// The guard stands before the parser: nobody's body is read before it is known whose it is.
app.post('/orders', postern('orders:write'), express.json({ limit: '10kb' }), (req, res) => {
  const { tenant, sub } = principalOf(req)
  const item: unknown = req.body?.item
  if (typeof item !== 'string' || item === '') {
    res.status(400).json({ error: 'item must be a text.' })
    return
  }
  const order = { id: orders.length + 1, tenant, placedBy: sub, item }
  orders.push(order)
  res.status(201).json(order)
})

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log('Orders API listening on', server.address())
})
