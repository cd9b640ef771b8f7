/** What is particular to one adapter, or the programmer's to know. */
import assert from 'node:assert/strict'
import fastify from 'fastify'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { test } from 'node:test'
import * as expressAdapter from '../src/adapters/express.ts'
import { parseScopes } from '../src/adapters/guard-options.ts'
import * as fastifyAdapter from '../src/adapters/fastify.ts'
import * as honoAdapter from '../src/adapters/hono.ts'
import { protect } from '../src/adapters/node.ts'
import { fakeServer } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey } from './support/wire.ts'

const KEY = aKey()

test('refuses at start a route whose scopes no credential can hold', () => {
  for (const scopes of ['orders:read orders:write', '', 'a"b', 'a'.repeat(129), ['ok', 'not ok'], [7]])
    assert.throws(() => parseScopes(scopes as string), /1 to 128 visible ASCII characters/, String(scopes))
  assert.deepEqual(parseScopes(undefined), [])
})

test('principalOf throws where no guard ran, which is a fault of the program', () => {
  assert.throws(() => expressAdapter.principalOf({}), /no Postern guard/)
  assert.throws(() => fastifyAdapter.principalOf({ principal: null } as never), /no Postern guard/)
})

test('express: goes on in the same tick for a credential seen before', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()))
  const request = { originalUrl: '/', ip: '127.0.0.1', headers: { 'x-api-key': KEY } }
  const response = { statusCode: 200, setHeader: () => {}, end: () => {} }
  await verifier.verify(KEY)
  let called = false
  expressAdapter.createGuard(verifier)()(request, response, () => (called = true))
  assert.ok(called)
})

test('express: finds a key in the part of the path that a router cut off', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()))
  const request = { originalUrl: `/${KEY}/orders`, url: '/orders', headers: {} }
  const response = { statusCode: 200, setHeader: () => {}, end: (body: string) => body }
  const end = t.mock.method(response, 'end')
  expressAdapter.createGuard(verifier)()(request, response, () => assert.fail('It went on.'))
  assert.match(String(end.mock.calls[0]?.arguments[0]), /exposed_in_url/)
})

test('fastify: refuses before the body is read', async (t) => {
  const app = fastify()
  t.after(() => app.close())
  await app.register(fastifyAdapter.postern, { verifier: verifierFor(await fakeServer(t, accepted())) })
  app.post('/orders', { onRequest: app.requireScopes('orders:write') }, async () => ({}))
  const headers = { 'content-type': 'application/json' }
  const { statusCode, body } = await app.inject({
    method: 'POST',
    url: '/orders',
    headers,
    payload: '{ not json',
  })
  assert.equal(statusCode, 401)
  assert.match(body, /"code":"missing"/)
})

test('fastify: names the realm that it was given', async (t) => {
  const app = fastify()
  t.after(() => app.close())
  await app.register(fastifyAdapter.postern, {
    verifier: verifierFor(await fakeServer(t, accepted())),
    realm: 'orders',
  })
  app.get('/', { onRequest: app.requireScopes() }, async () => ({}))
  assert.equal((await app.inject('/')).headers['www-authenticate'], 'Bearer realm="orders"')
})

test('hono: refuses a key that is bound to networks when nobody says where the caller is', async (t) => {
  const server = await fakeServer(t, accepted({ constraints: { ip_allow: ['0.0.0.0/0'] } }))
  const app = new Hono()
  app.get('/', honoAdapter.createGuard(verifierFor(server))(), (c) => c.text('in'))
  assert.equal((await app.request('/', { headers: { 'X-API-Key': KEY } })).status, 403)
})

test('hono: leaves the headers of other middleware on a refusal, so that a page can read it', async (t) => {
  const app = new Hono()
  app.use(cors())
  app.get('/', honoAdapter.createGuard(verifierFor(await fakeServer(t, accepted())))(), (c) => c.text('in'))
  const response = await app.request('/', { headers: { Origin: 'https://app.example.com' } })
  assert.equal(response.status, 401)
  assert.equal(response.headers.get('access-control-allow-origin'), '*')
})

test('node: passes on what the handler returns and throws', async (t) => {
  const verifier = verifierFor(await fakeServer(t, accepted()))
  const request = { url: '/', headers: { 'x-api-key': KEY }, socket: {} }
  const response = { statusCode: 200, setHeader: () => {}, end: () => {} }
  const fails = protect(verifier, () => {
    throw new Error('from the handler')
  })
  await assert.rejects(async () => fails(request, response), /from the handler/)
  assert.throws(() => fails(request, response), /from the handler/)
  assert.equal(protect(verifier, () => 'returned')(request, response), 'returned')
})
