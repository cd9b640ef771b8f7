/** What the adapters say of limits, on answers and refusals alike, and what they call a route. */
import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { createGuard as expressGuard } from '../src/adapters/express.ts'
import { postern } from '../src/adapters/fastify.ts'
import { createGuard as honoGuard } from '../src/adapters/hono.ts'
import { protect as protectMcp } from '../src/adapters/mcp.ts'
import { createGuard as nextGuard, createProxyGuard } from '../src/adapters/next.ts'
import { protect } from '../src/adapters/node.ts'
import { protectedResource } from '../src/protected-resource.ts'
import type { Verifier } from '../src/verifier.ts'
import { fakeServer, type FakeServer, answerJson } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, refused, RESOURCE } from './support/wire.ts'

type Call = (path: string, key: string) => Promise<Response>
const ROUTE = { cost: 2 }

async function listening(t: TestContext, listener: RequestListener): Promise<Call> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  return (path, key) =>
    fetch(`http://127.0.0.1:${port}${path}`, { headers: { 'x-api-key': key, connection: 'close' } })
}
const web =
  (answer: (request: Request) => Response | Promise<Response>): Call =>
  async (path, key) =>
    answer(new Request(`https://api.example.com${path}`, { headers: { 'x-api-key': key } }))

const APPS: readonly (readonly [string, string, (t: TestContext, verifier: Verifier) => Promise<Call>])[] = [
  [
    'express',
    'GET /v1/orders/:id',
    (t, verifier) => {
      const router = express.Router()
      router.get('/orders/:id', expressGuard(verifier)('orders:read', ROUTE) as never, (_, response) => {
        response.send('ok')
      })
      return listening(t, express().use('/v1', router))
    },
  ],
  [
    'fastify',
    'GET /v1/orders/:id',
    async (_, verifier) => {
      const app = Fastify()
      await app.register(postern, { verifier })
      app.get('/v1/orders/:id', { onRequest: app.requireScopes('orders:read', ROUTE) }, async () => 'ok')
      return async (url, key) => {
        const { statusCode, headers, payload } = await app.inject({ url, headers: { 'x-api-key': key } })
        return new Response(payload, { status: statusCode, headers: headers as Record<string, string> })
      }
    },
  ],
  [
    'hono',
    'GET /v1/orders/:id',
    async (_, verifier) => {
      const app = new Hono()
      app.get('/v1/orders/:id', honoGuard(verifier)('orders:read', ROUTE), () => new Response('ok'))
      return web((request) => app.fetch(request) as Response)
    },
  ],
  [
    'node',
    'verify',
    (t, verifier) =>
      listening(
        t,
        protect(verifier, (_, response) => response.end('ok'), { scopes: 'orders:read', ...ROUTE }),
      ),
  ],
  [
    'next',
    'verify',
    async (_, verifier) => {
      // What it answers cannot be changed.
      const handler = nextGuard(verifier)(
        'orders:read',
        () => Response.redirect('https://api.example.com/elsewhere'),
        ROUTE,
      )
      return web((request) => handler(request, {}))
    },
  ],
  [
    'mcp',
    'verify',
    async (_, verifier) => {
      const resource = protectedResource({
        resource: RESOURCE,
        authorizationServers: ['https://auth.example.com'],
        scopes: ['orders:read'],
      })
      const options = { protectedResource: resource, scopes: 'orders:read', ...ROUTE }
      return web(protectMcp(verifier, () => new Response('ok'), options))
    },
  ],
]

const state = (remaining: number) => ({
  name: 'per-second',
  bucket: 'key:k:per-second',
  type: 'rate',
  enforcement: 'strict',
  limit: 10,
  window_seconds: 1,
  burst: 20,
  remaining,
  reset_seconds: 2,
})

/** Two requests pass, the third is refused. */
function twoPass(t: TestContext): Promise<FakeServer> {
  let charged = 0
  return fakeServer(t, (response, { body }) => {
    if (body['cost'] === 0) return answerJson(response, accepted({ reply: { limits: [state(20)] } }))
    const limits = [state(Math.max(0, 1 - charged))]
    const passes = accepted({ reply: { limits } })
    answerJson(
      response,
      ++charged <= 2 ? passes : refused('rate_limited', { retry_after_seconds: 2, limits }),
    )
  })
}

for (const [name, route, open] of APPS)
  test(`${name}: limits stand on answers and refusals`, async (t) => {
    const server = await twoPass(t)
    const call = await open(t, verifierFor(server))
    const answers: Response[] = []
    for (let count = 0; count < 3; count++) answers.push(await call('/v1/orders/7', aKey()))
    assert.deepEqual(
      answers.map(({ headers }) => [headers.get('ratelimit'), headers.get('ratelimit-policy')]),
      [1, 0, 0].map((left) => [`"per-second";r=${left};t=2`, '"per-second";q=10;w=1']),
    )
    assert.equal(answers[1]?.headers.get('retry-after'), null)
    assert.ok((answers[1]?.status as number) < 400)
    assert.equal(answers[2]?.status, 429)
    assert.equal(answers[2]?.headers.get('retry-after'), '2')
    const { cost, route: told } = server.questions.at(-1)?.body ?? {}
    assert.deepEqual({ cost, told }, { cost: 2, told: route })
  })

test('an answer to a caller without limits has no such headers', async (t) => {
  const server = await fakeServer(t, accepted())
  for (const [name, , open] of APPS) {
    const { headers } = await (await open(t, verifierFor(server)))('/v1/orders/7', aKey())
    assert.equal(headers.get('ratelimit'), null, name)
  }
})

test("the guard of Next's proxy charges nothing, unless it is told to", async (t) => {
  const server = await twoPass(t)
  const guard = createProxyGuard(verifierFor(server))
  const request = () => new Request('https://api.example.com/', { headers: { 'x-api-key': aKey() } })
  for (let count = 0; count < 5; count++) assert.equal(await guard(request(), 'orders:read'), undefined)
  assert.equal(server.questions.length, 1)
  await guard(request(), 'orders:read', { cost: 1 })
  assert.equal(server.questions.length, 2)
})

test('a cost that is none is refused at start', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()))
  assert.throws(() => expressGuard(verifier)('orders:read', { cost: -1 }), TypeError)
})
