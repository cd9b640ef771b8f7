/** An orders API on node:http: `orders:read` to read, `orders:write` to write, and a health check for anyone. */
import { createVerifier, type Principal } from '@postern/sdk'
import { protect } from '@postern/sdk/node'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'

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

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown
const routes: Readonly<Record<string, Handler>> = {
  'GET /health': (_request, response) => answer(response, 200, { status: 'ok' }),
  'GET /orders': protect(verifier, listOrders, { scopes: 'orders:read' }),
  'POST /orders': protect(verifier, placeOrder, { scopes: 'orders:write' }),
}

function listOrders(_request: IncomingMessage, response: ServerResponse, { tenant }: Principal) {
  return answer(
    response,
    200,
    orders.filter((order) => order.tenant === tenant),
  )
}

async function placeOrder(request: IncomingMessage, response: ServerResponse, { tenant, sub }: Principal) {
  const length = Number(request.headers['content-length'])
  if (!(length <= 10_000)) return answer(response, 413, { error: 'At most 10 kB, with Content-Length.' })
  const body: unknown = await json(request).catch(() => undefined)
  const item = (body as { item?: unknown } | null | undefined)?.item
  if (typeof item !== 'string' || item === '') return answer(response, 400, { error: 'item must be a text.' })
  const order = { id: orders.length + 1, tenant, placedBy: sub, item }
  orders.push(order)
  return answer(response, 201, order)
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

const server = createServer((request, response) => {
  const handler = routes[`${request.method} ${request.url?.split('?', 1)[0]}`]
  return handler ? handler(request, response) : answer(response, 404, { error: 'There is nothing here.' })
})
server.listen(Number(process.env.PORT ?? 3000), () =>
  console.log('Orders API listening on', server.address()),
)
