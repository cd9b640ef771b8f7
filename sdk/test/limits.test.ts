/** Limits in a verify: what is asked, what is charged, and what an answer says of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { answerJson, fakeServer, type FakeServer, type Question } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, refused } from './support/wire.ts'

const KEY = aKey()
const limit = (name: string, more: object = {}) => ({
  name,
  on: 'key',
  bucket: `key:key_1:${name}`,
  type: 'rate',
  enforcement: 'strict',
  limit: 10,
  window_seconds: 1,
  burst: 10,
  remaining: 9,
  reset_seconds: 1,
  ...more,
})
const codeOf = (result: Result): string => (result.valid ? 'valid' : result.code)

/** Answers looks with `limits`, and charges with what `charge` says. */
function limited(limits: readonly object[], charge: (body: Question['body']) => object) {
  return (response: Parameters<typeof answerJson>[0], { body, path }: Question) => {
    if (path === '/v1/limits/leases') {
      const buckets = (body['buckets'] as { bucket: string; granted: number; want: number }[]).map(
        ({ bucket, granted, want }) => ({ bucket, strict: false, lease: 'l1', granted: granted + want }),
      )
      answerJson(response, { lease_ms: 1000, renew_ms: 200, buckets })
    } else if (body['cost'] === 0) answerJson(response, accepted({ reply: { limits } }))
    else answerJson(response, charge(body))
  }
}
const charges = ({ questions }: FakeServer) =>
  questions.filter(({ path, body }) => path === '/v1/verify' && body['cost'] !== 0)

test('charges each request of a limited caller, also those that share one question', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => accepted({ reply: { limits: [limit('r', { remaining: 4 })] } })),
  )
  const verifier = verifierFor(server)
  const ask = () => verifier.verify(KEY, { cost: 3, route: 'GET /orders/:id', scopes: 'orders:read' })
  const results = await Promise.all(Array.from({ length: 5 }, ask))
  assert.deepEqual(results.map(codeOf), Array(5).fill('valid'))
  assert.equal(server.questions.length, 6)
  assert.equal(charges(server).length, 5)
  const { cost, route, scopes } = charges(server)[0]?.body ?? {}
  assert.deepEqual({ cost, route, scopes }, { cost: 3, route: 'GET /orders/:id', scopes: ['orders:read'] })
  assert.equal(verifier.limitsOf(results[0] as Result)[0]?.remaining, 4)
})

test('charges nothing for what is refused for another reason, or costs nothing', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => accepted()),
  )
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY, { scopes: 'orders:write' })), 'insufficient_scope')
  assert.equal(codeOf(await verifier.verify(KEY, { cost: 0 })), 'valid')
  assert.equal(charges(server).length, 0)
  for (const cost of [-1, 1.5, NaN, 1_000_001, Infinity])
    assert.throws(() => verifier.verify(KEY, { cost }), TypeError, `${cost}`)
})

test('hands on what the server says of a limit that refuses', async (t) => {
  const state = limit('r', { remaining: 0, reset_seconds: 7 })
  const server = await fakeServer(
    t,
    limited([limit('r')], () => refused('rate_limited', { retry_after_seconds: 7, limits: [state] })),
  )
  const verifier = verifierFor(server)
  const result = await verifier.verify(KEY)
  assert.ok(!result.valid)
  assert.equal(result.code, 'rate_limited')
  assert.equal(result.retryAfterSeconds, 7)
  assert.equal(verifier.limitsOf(result)[0]?.remaining, 0)
  // It tells of the moment: the next request is asked about again.
  await verifier.verify(KEY)
  assert.equal(charges(server).length, 2)
})

test('admits nobody while limits cannot be charged', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => accepted()),
  )
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  server.script = (response) => answerJson(response, {}, 500)
  assert.equal(codeOf(await verifier.verify(KEY)), 'unavailable')
})

test('asks again for a credential whose charge tells of a limit that it did not have', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => accepted({ reply: { limits: [limit('r'), limit('new')] } })),
  )
  const verifier = verifierFor(server)
  await verifier.verify(KEY)
  assert.equal(verifier.status().cachedCredentials, 0)
})

test('ends a credential whose charge says that it was revoked', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => refused('revoked')),
  )
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY)), 'revoked')
  assert.equal(verifier.status().cachedCredentials, 0)
})

test('carries the plan', async (t) => {
  const server = await fakeServer(t, accepted({ principal: { plan: 'pro' } }))
  const principal = await verifierFor(server).verify(KEY)
  assert.ok(principal.valid)
  assert.equal(principal.plan, 'pro')
})

test('tells the server which requests it counts itself', async (t) => {
  const server = await fakeServer(
    t,
    limited([limit('r')], () => accepted({ reply: { limits: [limit('r')] } })),
  )
  const counts = async (options: object) => {
    server.questions.length = 0
    const verifier = verifierFor(server, options)
    await verifier.verify(KEY)
    await verifier.verify(KEY)
    await verifier.close()
    return server.questions.map(({ body }) => body['count'])
  }
  // Each request once: a look that the verifier reports, and two charges.
  assert.deepEqual(await counts({ usage: true }), [false, undefined, undefined])
  // Or the look, the second request's charge, and nothing of the first's.
  assert.deepEqual(await counts({ usage: false }), [undefined, false, undefined])
})
