/** An orders API on Hono: `orders:read` to read, `orders:write` to write, and a health check for anyone. */
import { serve } from '@hono/node-server'
import { getConnInfo } from '@hono/node-server/conninfo'
import { createVerifier } from '@postern/sdk'
import { createGuard } from '@postern/sdk/hono'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'

const verifier = createVerifier({
  server: process.env.POSTERN_SERVER ?? 'http://localhost:4800',
  credential: process.env.POSTERN_CREDENTIAL,
  resource: process.env.POSTERN_RESOURCE ?? 'https://api.example.com',
})
const postern = createGuard(verifier, { clientIp: (c) => getConnInfo(c).remote.address })

interface Order {
  readonly id: number
  readonly tenant: string
  readonly placedBy: string
  readonly item: string
}
const orders: Order[] = []

const app = new Hono()

app.get('/health', (c) => c.json({ status: 'ok' }))

app.get('/orders', postern('orders:read'), (c) => {
  const { tenant } = c.get('principal')
  return c.json(orders.filter((order) => order.tenant === tenant))
})

app.post('/orders', postern('orders:write'), bodyLimit({ maxSize: 10_000 }), async (c) => {
  const { tenant, sub } = c.get('principal')
  const body: unknown = await c.req.json().catch(() => undefined)
  const item = (body as { item?: unknown } | null | undefined)?.item
  if (typeof item !== 'string' || item === '') return c.json({ error: 'item must be a text.' }, 400)
  const order = { id: orders.length + 1, tenant, placedBy: sub, item }
  orders.push(order)
  return c.json(order, 201)
})

serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, (address) => {
  console.log('Orders API listening on', address)
})
