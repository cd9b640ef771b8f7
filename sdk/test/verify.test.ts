/** What `verify` answers to each request about a credential, first and again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ServerResponse } from 'node:http'
import type { Result } from '../src/index.ts'
import { fakeServer, type Question } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, OWN_CREDENTIAL, refused, RESOURCE, TENANT } from './support/wire.ts'

const KEY = aKey()

function codeOf(result: Result): string {
  return result.valid ? 'valid' : result.code
}

test('answers the whole principal, in camelCase', async (t) => {
  const server = await fakeServer(
    t,
    accepted({
      principal: {
        roles: ['admin'],
        client_id: 'cli_1',
        act: { sub: 'svc', act: { sub: 'other' } },
        grant_id: 'gra_1',
        session_id: 'ses_1',
        acr: 'high',
        amr: ['pwd', 'otp'],
        expires_at: '2026-06-01T00:00:00.000Z',
        metadata: { plan_name: 'pro' },
      },
    }),
  )
  assert.deepEqual(await verifierFor(server).verify(KEY), {
    valid: true,
    sub: 'acct_7',
    subType: 'external',
    tenant: TENANT,
    resource: RESOURCE,
    scopes: ['orders:read'],
    roles: ['admin'],
    credential: { type: 'api_key', id: 'key_0000000000000000000001', environment: 'live' },
    clientId: 'cli_1',
    act: { sub: 'svc', act: { sub: 'other' } },
    grantId: 'gra_1',
    sessionId: 'ses_1',
    acr: 'high',
    amr: ['pwd', 'otp'],
    expiresAtMs: Date.parse('2026-06-01T00:00:00Z'),
    metadata: { plan_name: 'pro' },
  })
})

test('asks without the scopes and at no cost, with its own credential in the header', async (t) => {
  const server = await fakeServer(t, accepted())
  await verifierFor(server, { tenant: TENANT }).verify(KEY, { scopes: 'orders:read', ip: '192.0.2.1' })
  const [question] = server.questions
  assert.equal(question?.path, '/v1/verify')
  assert.equal(question?.headers.authorization, `Bearer ${OWN_CREDENTIAL}`)
  assert.deepEqual(question?.body, {
    credential: KEY,
    resource: RESOURCE,
    environment: 'live',
    tenant: TENANT,
    ip: '192.0.2.1',
    cost: 0,
  })
})

test('answers a credential seen before at once, with no question', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  const first = await verifier.verify(KEY, { scopes: 'orders:read' })
  const again = verifier.verify(KEY, { scopes: 'orders:read' })
  assert.ok(!(again instanceof Promise))
  assert.equal(again, first)
  assert.equal(server.questions.length, 1)
})

test('shares a principal that no handler can change', async (t) => {
  const server = await fakeServer(t, accepted({ principal: { metadata: { limits: { orders: 1 } } } }))
  const principal = await verifierFor(server).verify(KEY)
  assert.ok(principal.valid)
  assert.throws(() => Object.assign(principal, { sub: 'root' }), TypeError)
  assert.throws(() => (principal.scopes as string[]).push('orders:write'), TypeError)
  assert.throws(() => Object.assign(principal.metadata?.['limits'] as object, { orders: 2 }), TypeError)
})

test('asks again after cacheSeconds, counted from sending the question', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  server.script = (response) => {
    // The answer is on its way for two seconds.
    verifier.clock.pass(2000)
    response.end(JSON.stringify(accepted()))
  }
  await verifier.verify(KEY)
  verifier.clock.pass(2999)
  assert.ok(!(verifier.verify(KEY) instanceof Promise))
  verifier.clock.pass(1)
  await verifier.verify(KEY)
  assert.equal(server.questions.length, 2)
})

test('refuses a revoked key at the latest after cacheSeconds', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server, { cacheSeconds: 3 })
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  server.script = refused('revoked')
  verifier.clock.pass(3000)
  assert.equal(codeOf(await verifier.verify(KEY)), 'revoked')
})

test('keeps an answer no longer than the server allows', async (t) => {
  const server = await fakeServer(t, accepted({ reply: { cache_seconds: 1 } }))
  const verifier = verifierFor(server, { cacheSeconds: 60 })
  await verifier.verify(KEY)
  verifier.clock.pass(1000)
  await verifier.verify(KEY)
  assert.equal(server.questions.length, 2)
})

test('does not live longer when the wall clock jumps back', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  await verifier.verify(KEY)
  verifier.clock.elapsedMs += 5000
  verifier.clock.wallMs -= 3_600_000
  await verifier.verify(KEY)
  assert.equal(server.questions.length, 2)
})

test('asks for every request with cacheSeconds 0, even for simultaneous ones', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server, { cacheSeconds: 0 })
  await Promise.all([verifier.verify(KEY), verifier.verify(KEY)])
  await verifier.verify(KEY)
  assert.equal(server.questions.length, 3)
})

for (const [what, change] of [
  ['a constraint that it does not know', { constraints: { weekday: 'monday' } }],
  ['a constraint that it does not know and that is null', { constraints: { novel: null } }],
  ['no cache_seconds', { reply: { cache_seconds: undefined } }],
  ['cache_seconds of 0', { reply: { cache_seconds: 0 } }],
] as const)
  test(`uses an answer with ${what} once`, async (t) => {
    const server = await fakeServer(t, accepted(change))
    const verifier = verifierFor(server)
    assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
    assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
    assert.equal(server.questions.length, 2)
  })

test('checks scopes on every hit, and says which were asked for', async (t) => {
  const server = await fakeServer(t, accepted({ principal: { scopes: ['a', 'b'] } }))
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY, { scopes: ['b', 'a'] })), 'valid')
  const result = verifier.verify(KEY, { scopes: ['a', 'c'] })
  assert.ok(!(result instanceof Promise) && !result.valid)
  assert.equal(result.code, 'insufficient_scope')
  assert.deepEqual(result.scopes, ['a', 'c'])
  assert.equal(codeOf(await verifier.verify(KEY, { scopes: 'b' })), 'valid')
})

test('refuses a missing scope at first sight, too', async (t) => {
  const server = await fakeServer(t, accepted())
  assert.equal(
    codeOf(await verifierFor(server).verify(KEY, { scopes: 'orders:write' })),
    'insufficient_scope',
  )
})

test('checks the address on every hit', async (t) => {
  const server = await fakeServer(
    t,
    accepted({ constraints: { ip_allow: ['203.0.113.0/24', '2001:db8::/32'] } }),
  )
  const verifier = verifierFor(server)
  for (const [ip, code] of [
    ['203.0.113.9', 'valid'],
    ['198.51.100.1', 'ip_not_allowed'],
    ['::ffff:203.0.113.9', 'valid'],
    ['2001:db8::1', 'valid'],
    ['2001:db9::1', 'ip_not_allowed'],
    ['unix', 'ip_not_allowed'],
  ] as const)
    assert.equal(codeOf(await verifier.verify(KEY, { ip })), code, ip)
  assert.equal(server.questions.length, 1)
})

test('refuses a key that is bound to networks when the address is not known, and tells the operator', async (t) => {
  const server = await fakeServer(t, accepted({ constraints: { ip_allow: ['203.0.113.0/24'] } }))
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY)), 'ip_not_allowed')
  assert.match(verifier.warnings.join('\n'), /clientIp/)
})

/** Like the server: a key for 203.0.113.0/24, refused from elsewhere and from nowhere. */
function boundToNetwork(response: ServerResponse, { body }: Question): void {
  const isInside = String(body['ip']).startsWith('203.0.113.')
  const constraints = { ip_allow: ['203.0.113.0/24'] }
  response.end(JSON.stringify(isInside ? accepted({ constraints }) : refused('ip_not_allowed')))
}

test('keeps the refusal of one address from callers at another', async (t) => {
  const server = await fakeServer(t, boundToNetwork)
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY, { ip: '192.0.2.1' })), 'ip_not_allowed')
  assert.equal(codeOf(await verifier.verify(KEY, { ip: '203.0.113.1' })), 'valid')
  assert.equal(codeOf(await verifier.verify(KEY, { ip: '192.0.2.1' })), 'ip_not_allowed')
  assert.equal(server.questions.length, 2)
})

test('asks about a refused address once a second', async (t) => {
  const server = await fakeServer(t, boundToNetwork)
  const verifier = verifierFor(server)
  for (let round = 0; round < 3; round++)
    assert.equal(codeOf(await verifier.verify(KEY, { ip: '192.0.2.1' })), 'ip_not_allowed')
  assert.equal(server.questions.length, 1)
})

test('asks again for those who joined a question from an address that was refused', async (t) => {
  const server = await fakeServer(t, boundToNetwork)
  const verifier = verifierFor(server)
  const stranger = verifier.verify(KEY, { ip: '192.0.2.1' })
  const callers = Array.from({ length: 20 }, () => verifier.verify(KEY, { ip: '203.0.113.1' }))
  assert.equal(codeOf(await stranger), 'ip_not_allowed')
  assert.deepEqual(new Set((await Promise.all(callers)).map(codeOf)), new Set(['valid']))
  assert.equal(server.questions.length, 2)
})

test('ends a cached key at its own end', async (t) => {
  const server = await fakeServer(t, accepted({ constraints: { expires_at: '2026-01-01T00:00:02Z' } }))
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  verifier.clock.pass(1999)
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  verifier.clock.pass(1)
  assert.equal(codeOf(await verifier.verify(KEY)), 'expired')
  assert.equal(server.questions.length, 1)
})

test('starts a cached key at its own start', async (t) => {
  const server = await fakeServer(t, accepted({ constraints: { not_before: '2026-01-01T00:00:02Z' } }))
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify(KEY)), 'not_yet_valid')
  verifier.clock.pass(2000)
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  assert.equal(server.questions.length, 1)
})

test('refuses a test key unless it is configured for test', async (t) => {
  const test = { credential: { type: 'api_key', id: 'key_1', environment: 'test' } }
  const server = await fakeServer(t, accepted({ principal: test, constraints: { environment: 'test' } }))
  for (const [environment, code] of [
    ['live', 'wrong_environment'],
    ['test', 'valid'],
    ['any', 'valid'],
  ] as const) {
    const verifier = verifierFor(server, { environment })
    assert.equal(codeOf(await verifier.verify(KEY)), code)
    assert.equal(codeOf(await verifier.verify(KEY)), code)
    assert.equal(server.questions.at(-1)?.body['environment'], environment)
  }
})

test('refuses a live key from a browser, unless its resource allows it', async (t) => {
  const server = await fakeServer(t, accepted())
  const fromPage = (name: string) => ({
    url: '/',
    headers: { 'x-api-key': KEY, [name]: 'https://app.example.com' },
  })
  const strict = verifierFor(server)
  assert.equal(codeOf(await strict.verify(fromPage('origin'))), 'exposed_in_browser')
  assert.equal(codeOf(await strict.verify(fromPage('sec-fetch-site'))), 'exposed_in_browser')
  assert.equal(codeOf(await strict.verify(fromPage('referer'))), 'valid')
  server.script = accepted({ constraints: { browser: true } })
  assert.equal(codeOf(await verifierFor(server).verify(fromPage('origin'))), 'valid')
})

test('takes a test key and an access token from a browser', async (t) => {
  const fromPage = {
    url: '/',
    headers: { authorization: `Bearer ${KEY}`, origin: 'https://app.example.com' },
  }
  const testKey = { type: 'api_key', id: 'key_1', environment: 'test' }
  const server = await fakeServer(
    t,
    accepted({ principal: { credential: testKey }, constraints: { environment: 'test' } }),
  )
  assert.equal(codeOf(await verifierFor(server, { environment: 'test' }).verify(fromPage)), 'valid')
  server.script = accepted({
    principal: { credential: { type: 'access_token', id: 'jti', environment: 'live' } },
  })
  assert.equal(codeOf(await verifierFor(server).verify(fromPage)), 'valid')
})

test('refuses a typing error with no question, and asks about foreign forms', async (t) => {
  const server = await fakeServer(t, refused('unknown'))
  const verifier = verifierFor(server)
  const typo = KEY.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  assert.equal(codeOf(await verifier.verify(typo)), 'malformed')
  assert.equal(server.questions.length, 0)
  assert.equal(codeOf(await verifier.verify('sk_live_4eC39HqLyjWDarjtT1zdp7dc')), 'unknown')
  assert.equal(codeOf(await verifier.verify('legacy:0123456789')), 'unknown')
  assert.equal(server.questions.length, 2)
})

test('refuses a header that holds no credential with no question', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  for (const headers of [
    { authorization: 'Bearer a b' },
    { 'x-api-key': 'a b' },
    { 'x-api-key': 'k\u00e4se' },
    { 'x-api-key': 'a\u0000' },
  ])
    assert.equal(codeOf(await verifier.verify({ url: '/', headers: { ...headers } })), 'malformed')
  assert.equal(server.questions.length, 0)
})

test('refuses bare text that is no credential with no question', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  assert.equal(codeOf(await verifier.verify('')), 'missing')
  assert.equal(codeOf(await verifier.verify('a'.repeat(8193))), 'malformed')
  assert.equal(codeOf(await verifier.verify('a\r\nb')), 'malformed')
  assert.equal(server.questions.length, 0)
})

test('answers a web Request', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  const request = new Request('https://api.example.com/orders', { headers: { 'X-API-Key': KEY } })
  assert.equal(codeOf(await verifier.verify(request)), 'valid')
  assert.equal(codeOf(await verifier.verify(new Request('https://api.example.com/orders'))), 'missing')
})

for (const code of ['unknown', 'revoked', 'expired', 'disabled', 'wrong_resource', 'wrong_tenant'])
  test(`passes on the refusal ${code}, and asks again after a second`, async (t) => {
    const server = await fakeServer(t, refused(code))
    const verifier = verifierFor(server)
    assert.equal(codeOf(await verifier.verify(KEY)), code)
    verifier.clock.pass(999)
    assert.equal(codeOf(await verifier.verify(KEY)), code)
    assert.equal(server.questions.length, 1)
    server.script = accepted()
    verifier.clock.pass(1)
    assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
  })

for (const code of ['rate_limited', 'quota_exceeded', 'unavailable', 'stale'])
  test(`asks again at once after ${code}, which tells of a moment`, async (t) => {
    const server = await fakeServer(t, refused(code, { retry_after_seconds: 7 }))
    const verifier = verifierFor(server)
    const result = await verifier.verify(KEY)
    assert.ok(!result.valid)
    assert.equal(result.code, code)
    assert.equal(result.retryAfterSeconds, 7)
    await verifier.verify(KEY)
    assert.equal(server.questions.length, 2)
  })

test('takes a code that it does not know for a refusal', async (t) => {
  const server = await fakeServer(t, refused('moon_phase'))
  assert.equal(codeOf(await verifierFor(server).verify(KEY)), 'unsupported')
})

test('asks one question for simultaneous requests with one credential, and judges each by itself', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server)
  const results = await Promise.all([
    ...Array.from({ length: 50 }, () => verifier.verify(KEY, { scopes: 'orders:read' })),
    verifier.verify(KEY, { scopes: 'orders:write' }),
  ])
  assert.deepEqual(new Set(results.slice(0, 50).map(codeOf)), new Set(['valid']))
  assert.equal(codeOf(results[50] as Result), 'insufficient_scope')
  assert.equal(server.questions.length, 1)
})

test('joins no question that is older than an answer may be, and keeps the newer answer', async (t) => {
  const answers: (() => void)[] = []
  const server = await fakeServer(t, (response) => {
    const body = answers.length === 0 ? accepted() : refused('revoked')
    answers.push(() => response.end(JSON.stringify(body)))
  })
  const verifier = verifierFor(server, { cacheSeconds: 1 })
  const older = verifier.verify(KEY)
  verifier.clock.pass(1000)
  const newer = verifier.verify(KEY)
  while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve))
  answers[1]?.()
  assert.equal(codeOf(await newer), 'revoked')
  answers[0]?.()
  assert.equal(codeOf(await older), 'valid')
  // The older answer arrived last and is forgotten.
  assert.equal(codeOf(await verifier.verify(KEY)), 'revoked')
})

test('keeps credentials apart', async (t) => {
  const server = await fakeServer(t, (response, { body }) =>
    response.end(JSON.stringify(accepted({ principal: { sub: `owner of ${String(body['credential'])}` } }))),
  )
  const verifier = verifierFor(server)
  for (let round = 0; round < 2; round++)
    for (const key of [aKey(1), aKey(2), 'legacy-1']) {
      const result = await verifier.verify(key)
      assert.equal(result.valid && result.sub, `owner of ${key}`)
    }
  assert.equal(server.questions.length, 3)
})

test('keeps no more answers than cacheEntries', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server, { cacheEntries: 2 })
  for (const seed of [1, 2, 3]) await verifier.verify(aKey(seed))
  await verifier.verify(aKey(3))
  assert.equal(server.questions.length, 3)
  await verifier.verify(aKey(1))
  assert.equal(server.questions.length, 4)
})

test('lets a flood of made-up credentials reach the server no faster than asksPerSecond', async (t) => {
  const server = await fakeServer(t, refused('unknown'))
  const verifier = verifierFor(server, { asksPerSecond: 10 })
  await verifier.verify(KEY)
  const flood = (from: number) =>
    Promise.all(Array.from({ length: 100 }, (_, index) => verifier.verify(`made-up-${from + index}`)))
  const results = await flood(0)
  assert.equal(results.filter((result) => codeOf(result) === 'unknown').length, 19)
  assert.equal(results.filter((result) => codeOf(result) === 'unavailable').length, 81)
  assert.match(verifier.warnings.join('\n'), /asksPerSecond/)
  verifier.clock.pass(500)
  await flood(1000)
  assert.equal(server.questions.length, 25)
})

test('serves known credentials through such a flood', async (t) => {
  const server = await fakeServer(t, accepted())
  const verifier = verifierFor(server, { asksPerSecond: 1 })
  await verifier.verify(KEY)
  await Promise.all(Array.from({ length: 50 }, (_, index) => verifier.verify(`made-up-${index}`)))
  assert.equal(codeOf(await verifier.verify(KEY)), 'valid')
})
