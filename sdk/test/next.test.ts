/** The adapter for Next.js, called as Next calls it: with a `Request` and a context. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createGuard, createProxyGuard } from '../src/adapters/next.ts'
import { fakeServer } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, refused } from './support/wire.ts'

const URL_OF_ORDERS = 'https://shop.example.com/api/orders/7'

function request(headers: Record<string, string> = {}, url = URL_OF_ORDERS): Request {
  return new Request(url, { headers })
}

const KEY = { 'x-api-key': aKey() }
const CONTEXT = { params: Promise.resolve({ id: '7' }) }

test('hands request, context and principal to the handler', async (t) => {
  const postern = createGuard(verifierFor(await fakeServer(t, accepted())))
  const GET = postern('orders:read', async (_request, { params }: typeof CONTEXT, principal) =>
    Response.json({ order: (await params).id, sub: principal.sub }),
  )
  assert.deepEqual(await (await GET(request(KEY), CONTEXT)).json(), { order: '7', sub: 'acct_7' })
})

test('answers itself where the handler must not run', async (t) => {
  const server = await fakeServer(t, accepted())
  const postern = createGuard(verifierFor(server))
  const handler = t.mock.fn(() => new Response('in'))
  const cases: [number, string, Record<string, string>, string?][] = [
    [401, 'missing', {}],
    [401, 'multiple_credentials', { ...KEY, authorization: `Bearer ${aKey()}` }],
    [401, 'exposed_in_url', KEY, `${URL_OF_ORDERS}?key=${aKey()}`],
    [403, 'insufficient_scope', KEY],
  ]
  for (const [status, code, headers, url] of cases) {
    const response = await postern(['orders:read', 'orders:write'], handler)(request(headers, url), CONTEXT)
    assert.equal(response.status, status, code)
    assert.match(response.headers.get('content-type') ?? '', /^application\/problem\+json/)
    assert.equal(((await response.json()) as { code: string }).code, code)
  }
  server.script = refused('revoked')
  const revoked = await postern('orders:read', handler)(request({ 'x-api-key': aKey(2) }), CONTEXT)
  assert.match(revoked.headers.get('www-authenticate') ?? '', /error="invalid_token"/)
  assert.equal(handler.mock.callCount(), 0)
})

test('serves anonymous callers where that is allowed', async (t) => {
  const postern = createGuard(verifierFor(await fakeServer(t, accepted())))
  const GET = postern(
    'orders:read',
    (_request, _context, principal) => new Response(principal?.sub ?? 'nobody'),
    {
      optional: true,
    },
  )
  assert.equal(await (await GET(request(), CONTEXT)).text(), 'nobody')
  assert.equal(await (await GET(request(KEY), CONTEXT)).text(), 'acct_7')
})

test('knows the address that it is told, and no other', async (t) => {
  const server = await fakeServer(t, accepted({ constraints: { ip_allow: ['203.0.113.0/24'] } }))
  const verifier = verifierFor(server)
  const forwarded = { ...KEY, 'x-forwarded-for': '203.0.113.9' }
  const handler = () => new Response('in')
  assert.equal((await createGuard(verifier)('orders:read', handler)(request(forwarded), CONTEXT)).status, 403)
  const told = createGuard(verifier, {
    clientIp: ({ headers }) => headers.get('x-forwarded-for') ?? undefined,
  })
  assert.equal((await told('orders:read', handler)(request(forwarded), CONTEXT)).status, 200)
})

test('as a proxy, lets go on with undefined and answers a refusal', async (t) => {
  const check = createProxyGuard(verifierFor(await fakeServer(t, accepted())))
  assert.equal(await check(request(KEY), 'orders:read'), undefined)
  assert.equal((await check(request(), 'orders:read'))?.status, 401)
  assert.equal((await check(request(KEY), 'orders:write'))?.status, 403)
  assert.equal(await check(request(), 'orders:read', { optional: true }), undefined)
})
