/** Credentials in URLs: refused, and told to the server so that their owner learns of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fakeServer, type FakeServer } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, RESOURCE } from './support/wire.ts'

const KEY = aKey()

async function questionsOf(server: FakeServer, count: number): Promise<FakeServer['questions']> {
  for (let round = 0; round < 100 && server.questions.length < count; round++) await sleep(5)
  // Long enough for one more to show.
  await sleep(20)
  return server.questions
}

test('refuses a key in the URL even when a header carries a good one, and reports it', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  const request = { url: `/orders?q=private&api_key=${KEY}`, headers: { authorization: `Bearer ${aKey(2)}` } }
  const result = verifier.verify(request)
  assert.ok(!(result instanceof Promise) && !result.valid)
  assert.equal(result.code, 'exposed_in_url')
  const questions = await questionsOf(server, 1)
  assert.deepEqual(
    questions.map(({ body }) => body),
    [{ credential: KEY, resource: RESOURCE, environment: 'live', url: `/orders?${KEY}` }],
  )
})

test('refuses the header credential when the URL repeats it', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  const result = verifier.verify({ url: '/orders?token=legacy-1', headers: { 'x-api-key': 'legacy-1' } })
  assert.ok(!(result instanceof Promise) && !result.valid && result.code === 'exposed_in_url')
})

test('does not accept a key that stands in the URL alone', async (t) => {
  const server = await fakeServer(t, accepted())
  const result = await verifierFor(server).verify(
    new Request(`https://api.example.com/orders?access_token=${KEY}`),
  )
  assert.ok(!result.valid && result.code === 'exposed_in_url')
})

test('reports a credential once a minute, and a flood of them no faster than it may', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  for (let round = 0; round < 10; round++) void verifier.verify({ url: `/?${KEY}`, headers: {} })
  assert.equal((await questionsOf(server, 1)).length, 1)
  for (let seed = 100; seed < 200; seed++) void verifier.verify({ url: `/?${aKey(seed)}`, headers: {} })
  assert.equal((await questionsOf(server, 20)).length, 20)
  verifier.clock.pass(60_000)
  void verifier.verify({ url: `/?${KEY}`, headers: {} })
  assert.equal((await questionsOf(server, 21)).length, 21)
})

test('reports no typing error', async (t) => {
  const server = await fakeServer(t, accepted())
  const typo = KEY.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  const result = await verifierFor(server).verify({ url: `/?key=${typo}`, headers: {} })
  assert.ok(!result.valid && result.code === 'exposed_in_url')
  assert.equal((await questionsOf(server, 0)).length, 0)
})
