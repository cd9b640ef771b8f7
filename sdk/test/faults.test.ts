/** A server that is away, broken, slow, or says no to this service itself: always the Denial `unavailable`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createVerifier } from '../src/index.ts'
import { answerJson, fakeServer, type Script } from './support/fake-server.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, OWN_CREDENTIAL, RESOURCE } from './support/wire.ts'

const KEY = aKey()
const GOOD = accepted() as { principal: object; constraints: object }

const FAULTS: Readonly<Record<string, { script: Script; warning: RegExp }>> = {
  'answers 500': { script: (response) => answerJson(response, {}, 500), warning: /answered 500/ },
  'answers 400': { script: (response) => answerJson(response, {}, 400), warning: /answered 400/ },
  'answers 204': { script: (response) => response.writeHead(204).end(), warning: /answered 204/ },
  'refuses our credential with 401': {
    script: (response) => answerJson(response, {}, 401),
    warning: /own credential \(401\)/,
  },
  'refuses our credential with 403': {
    script: (response) => answerJson(response, {}, 403),
    warning: /own credential \(403\)/,
  },
  redirects: {
    script: (response, { path }) =>
      path === '/v1/verify'
        ? response.writeHead(307, { location: '/elsewhere' }).end()
        : answerJson(response, accepted()),
    warning: /answered 307/,
  },
  'drops the connection': { script: (response) => response.destroy(), warning: /request failed/ },
  'answers no JSON': { script: (response) => response.end('<html>'), warning: /not JSON/ },
  'answers without end': {
    script: (response) => {
      const timer = setInterval(() => response.write('x'.repeat(50_000)), 1)
      response.on('close', () => clearInterval(timer))
    },
    warning: /too long/,
  },
  hangs: { script: () => {}, warning: /did not answer in time/ },
  'hangs half-way': { script: (response) => response.write('{'), warning: /did not answer in time/ },
}

/** Replies that are JSON with status 200, and no reply. */
const NO_REPLIES: Readonly<Record<string, unknown>> = {
  null: null,
  'a list': [],
  'an empty object': {},
  'valid as text': { ...GOOD, valid: 'true' },
  'no principal': { ...GOOD, principal: undefined },
  'no constraints': { ...GOOD, constraints: undefined },
  'an unreadable block': { ...GOOD, constraints: { ...GOOD.constraints, ip_allow: ['10.0.0.0/8', 'all'] } },
  'ip_allow as text': { ...GOOD, constraints: { ...GOOD.constraints, ip_allow: '10.0.0.0/8' } },
  'an unreadable time': { ...GOOD, constraints: { ...GOOD.constraints, expires_at: 'soon' } },
  'a time as number': { ...GOOD, constraints: { ...GOOD.constraints, expires_at: 1 } },
  'an unknown environment': { ...GOOD, constraints: { ...GOOD.constraints, environment: 'prod' } },
  'no subject': { ...GOOD, principal: { ...GOOD.principal, sub: '' } },
  'scopes as text': { ...GOOD, principal: { ...GOOD.principal, scopes: 'orders:read' } },
  'scopes of numbers': { ...GOOD, principal: { ...GOOD.principal, scopes: [1] } },
  'an unknown kind of subject': { ...GOOD, principal: { ...GOOD.principal, sub_type: 'cat' } },
  'no credential id': { ...GOOD, principal: { ...GOOD.principal, credential: { type: 'api_key' } } },
}

for (const [what, { script, warning }] of Object.entries(FAULTS))
  test(`answers unavailable when the server ${what}, warns once, and recovers`, async (t) => {
    const server = await fakeServer(t, script)
    const verifier = verifierFor(server, { timeoutSeconds: 0.3 })
    for (let round = 0; round < 2; round++) {
      const result = await verifier.verify(KEY)
      assert.ok(!result.valid)
      assert.equal(result.code, 'unavailable')
      assert.equal(result.retryAfterSeconds, 1)
    }
    assert.equal(verifier.warnings.length, 1)
    assert.match(verifier.warnings[0] ?? '', warning)
    server.script = GOOD
    assert.equal((await verifier.verify(KEY)).valid, true)
  })

for (const [what, reply] of Object.entries(NO_REPLIES))
  test(`answers unavailable when the reply is ${what}`, async (t) => {
    const server = await fakeServer(t, (response) => response.end(JSON.stringify(reply)))
    const verifier = verifierFor(server)
    const result = await verifier.verify(KEY)
    assert.ok(!result.valid)
    assert.equal(result.code, 'unavailable')
    assert.match(verifier.warnings[0] ?? '', /unknown form/)
  })

test('answers unavailable when nobody listens', async () => {
  const warnings: string[] = []
  const verifier = createVerifier({
    server: 'http://127.0.0.1:1',
    credential: OWN_CREDENTIAL,
    resource: RESOURCE,
    live: false,
    onWarning: (message) => warnings.push(message),
  })
  const result = await verifier.verify(KEY)
  assert.ok(!result.valid && result.code === 'unavailable')
  assert.equal(warnings.length, 1)
})

test('passes on when to come back, within a minute', async (t) => {
  const server = await fakeServer(t, {})
  for (const [header, seconds] of [
    ['7', 7],
    ['86400', 1],
    ['Wed, 21 Oct 2026 07:28:00 GMT', 1],
  ] as const) {
    server.script = (response) => response.writeHead(503, { 'retry-after': header }).end()
    const result = await verifierFor(server).verify(KEY)
    assert.ok(!result.valid)
    assert.equal(result.retryAfterSeconds, seconds)
  }
})

test('keeps serving what it knows while the server is away', async (t) => {
  const server = await fakeServer(t, GOOD)
  const verifier = verifierFor(server)
  await verifier.verify(KEY)
  server.script = (response) => response.destroy()
  verifier.clock.pass(4999)
  assert.equal((await verifier.verify(KEY)).valid, true)
  verifier.clock.pass(1)
  assert.equal((await verifier.verify(KEY)).valid, false)
})

test('warns again after ten minutes of the same fault', async (t) => {
  const server = await fakeServer(t, (response) => answerJson(response, {}, 500))
  const verifier = verifierFor(server)
  await verifier.verify(KEY)
  verifier.clock.pass(599_999)
  await verifier.verify(KEY)
  assert.equal(verifier.warnings.length, 1)
  verifier.clock.pass(1)
  await verifier.verify(KEY)
  assert.equal(verifier.warnings.length, 2)
})

test('puts no credential into a warning', async (t) => {
  const echo: Script = (response, question) => response.end(JSON.stringify(question))
  for (const script of [...Object.values(FAULTS).map((fault) => fault.script), echo]) {
    const server = await fakeServer(t, script)
    const verifier = verifierFor(server, { timeoutSeconds: 0.05 })
    await verifier.verify(KEY)
    assert.equal(verifier.warnings.length, 1)
    assert.ok(!verifier.warnings[0]?.includes(KEY) && !verifier.warnings[0]?.includes(OWN_CREDENTIAL))
  }
})

test('answers all the same when the hook for warnings throws, or fetch does', async (t) => {
  const server = await fakeServer(t, (response) => answerJson(response, {}, 401))
  const onWarning = () => {
    throw new Error('logger')
  }
  assert.equal((await verifierFor(server, { onWarning }).verify(KEY)).valid, false)
  const fetch = () => {
    throw new Error('no network')
  }
  assert.equal((await verifierFor(server, { fetch, onWarning }).verify(KEY)).valid, false)
})

test('warns on the console when no hook is given', async (t) => {
  const server = await fakeServer(t, (response) => answerJson(response, {}, 401))
  const warn = t.mock.method(console, 'warn', () => {})
  const options = { server: server.url, credential: OWN_CREDENTIAL, resource: RESOURCE, live: false }
  await createVerifier(options).verify(KEY)
  assert.match(String(warn.mock.calls[0]?.arguments[0]), /own credential/)
})
