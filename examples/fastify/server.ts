/** An orders API on Fastify: `orders:read` to read, `orders:write` to write, and a health check for anyone. */
import { createVerifier } from '@postern/sdk'
import { postern, principalOf } from '@postern/sdk/fastify'
import { fastify } from 'fastify'

const verifier = createVerifier({
  server: process.env.POSTERN_SERVER ?? 'http://localhost:4800',
  credential: process.env.POSTERN_CREDENTIAL,
  resource: process.env.POSTERN_RESOURCE ?? 'https://api.example.com',
})

interface Order {
  readonly id: number
  readonly tenant: string
  readonly placedBy: string
  readonly item: string
}
const orders: Order[] = []

const app = fastify({ bodyLimit: 10_000 })
await app.register(postern, { verifier })

app.get('/health', async () => ({ status: 'ok' }))

app.get('/orders', { onRequest: app.requireScopes('orders:read') }, async (request) => {
  const { tenant } = principalOf(request)
  return orders.filter((order) => order.tenant === tenant)
})

const newOrder = {
  type: 'object',
  required: ['item'],
  properties: { item: { type: 'string', minLength: 1 } },
}

app.post<{ Body: { item: string } }>(
  '/orders',
  // onRequest comes before the body is read: nobody's body is parsed before it is known whose it is.
  { onRequest: app.requireScopes('orders:write'), schema: { body: newOrder } },
  async (request, reply) => {
    const { tenant, sub } = principalOf(request)
    const order = { id: orders.length + 1, tenant, placedBy: sub, item: request.body.item }
    orders.push(order)
    return reply.code(201).send(order)
  },
)

await app.listen({ port: Number(process.env.PORT ?? 3000) })
console.log('Orders API listening on', app.server.address())
