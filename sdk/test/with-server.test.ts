/** The SDK against Postern itself: what one says, the other understands. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createVerifier, type Result, type Verifier, type VerifierOptions } from '../src/index.ts'
import { ORDERS, type RealServer, realServer } from './support/real-server.ts'

let server: RealServer
const warnings: string[] = []

before(async () => {
  server = await realServer()
})
after(() => server.close())

function verifierOf(options: Partial<VerifierOptions> = {}): Verifier {
  const { url, credential } = server
  return createVerifier({
    server: url,
    credential,
    resource: ORDERS,
    onWarning: (w) => warnings.push(w),
    ...options,
  })
}

function codeOf(result: Result): string {
  return result.valid ? 'valid' : result.code
}

test('answers the principal of an issued key, and again at once', async () => {
  const { id, key } = await server.issue({ metadata: { plan: 'pro' }, expires_in_seconds: 3600 })
  const verifier = verifierOf()
  assert.ok(await verifier.ready())
  const principal = await verifier.verify(key, { scopes: 'orders:read' })
  assert.ok(principal.valid, codeOf(principal))
  assert.equal(principal.sub, 'acct_7')
  assert.equal(principal.subType, 'external')
  assert.equal(principal.resource, ORDERS)
  assert.deepEqual(principal.scopes, ['orders:read'])
  assert.deepEqual(principal.credential, { type: 'api_key', id, environment: 'live' })
  assert.deepEqual(principal.metadata, { plan: 'pro' })
  assert.ok(Math.abs((principal.expiresAtMs ?? 0) - Date.now() - 3_600_000) < 60_000)
  assert.equal(verifier.verify(key), principal)
  assert.equal(codeOf(await verifier.verify(key, { scopes: 'orders:write' })), 'insufficient_scope')
  assert.deepEqual(warnings, [])
})

test('refuses a revoked key within cacheSeconds', async () => {
  const { id, key } = await server.issue()
  const verifier = verifierOf({ cacheSeconds: 1 })
  assert.equal(codeOf(await verifier.verify(key)), 'valid')
  await server.call('POST', `/v1/keys/${id}/revoke`, {})
  await sleep(1000)
  assert.equal(codeOf(await verifier.verify(key)), 'revoked')
})

test('refuses a revoked key at once with cacheSeconds 0', async () => {
  const { id, key } = await server.issue()
  const verifier = verifierOf({ cacheSeconds: 0 })
  assert.equal(codeOf(await verifier.verify(key)), 'valid')
  await server.call('POST', `/v1/keys/${id}/revoke`, {})
  assert.equal(codeOf(await verifier.verify(key)), 'revoked')
})

test('refuses a revoked key with the row, whatever it was kept for', async () => {
  const { id, key } = await server.issue()
  const verifier = verifierOf()
  assert.ok(await verifier.ready())
  assert.equal(codeOf(await verifier.verify(key)), 'valid')
  assert.ok(!(verifier.verify(key) instanceof Promise))
  await server.call('POST', `/v1/keys/${id}/revoke`, {})
  for (let round = 0; round < 100 && codeOf(await verifier.verify(key)) === 'valid'; round++) await sleep(10)
  assert.equal(codeOf(await verifier.verify(key)), 'revoked')
  verifier.close()
})

test('admits a key that is bound to networks from there alone', async () => {
  const { key } = await server.issue({ ip_allow: ['203.0.113.0/24'] })
  const verifier = verifierOf()
  for (const [ip, code] of [
    ['192.0.2.1', 'ip_not_allowed'],
    ['203.0.113.9', 'valid'],
    ['::ffff:203.0.113.9', 'valid'],
    ['192.0.2.1', 'ip_not_allowed'],
    [undefined, 'ip_not_allowed'],
  ] as const)
    assert.equal(codeOf(await verifier.verify(key, { ip })), code, ip ?? 'unknown')
})

test('refuses a live key from a browser, and takes a test key', async () => {
  const live = await server.issue()
  const testing = await server.issue({ environment: 'test' })
  const page = (key: string) => ({
    url: '/',
    headers: { 'x-api-key': key, origin: 'https://app.example.com' },
  })
  assert.equal(codeOf(await verifierOf().verify(page(live.key))), 'exposed_in_browser')
  assert.equal(codeOf(await verifierOf().verify(testing.key)), 'wrong_environment')
  assert.equal(codeOf(await verifierOf({ environment: 'test' }).verify(page(testing.key))), 'valid')
  assert.equal(codeOf(await verifierOf({ environment: 'any' }).verify(live.key)), 'valid')
})

test('verifies a key that was issued elsewhere and imported, in its own header', async () => {
  const legacy = randomBytes(24).toString('hex')
  const digest = createHash('sha256').update(legacy).digest('hex')
  const key = { digest, encoding: 'hex', algorithm: 'sha256', prefix: 'old', owner: 'acct_8', scopes: [] }
  await server.call('POST', '/v1/keys/import', { high_entropy: true, resource: ORDERS, keys: [key] })
  const result = await verifierOf({ legacyHeader: 'X-Acme-Token' }).verify({
    url: '/',
    headers: { 'x-acme-token': legacy },
  })
  assert.equal(result.valid && result.sub, 'acct_8')
})

test('refuses unknown keys, keys of another API, and keys of another tenant', async () => {
  const { key } = await server.issue()
  assert.equal(codeOf(await verifierOf().verify(randomBytes(24).toString('hex'))), 'unknown')
  assert.equal(
    codeOf(await verifierOf({ resource: 'https://other.example.com' }).verify(key)),
    'wrong_resource',
  )
  assert.equal(codeOf(await verifierOf({ tenant: 'ten_0000000000000000000009' }).verify(key)), 'wrong_tenant')
})

test('answers unavailable and warns when its own credential is refused', async () => {
  const { key } = await server.issue()
  const warned: string[] = []
  // A good key that lacks the scope verify.
  const verifier = verifierOf({ credential: key, onWarning: (message) => warned.push(message) })
  assert.equal(codeOf(await verifier.verify(key)), 'unavailable')
  assert.match(warned[0] ?? '', /own credential/)
})

test('tells the server of a key in a URL, which notes it for its owner', async () => {
  const { id, key } = await server.issue()
  assert.equal(
    codeOf(await verifierOf().verify({ url: `/orders?api_key=${key}`, headers: {} })),
    'exposed_in_url',
  )
  for (let round = 0; round < 100; round++) {
    const { data } = (await server.call(
      'GET',
      `/v1/activity?code=exposed_in_url&credential=${id}`,
    )) as unknown as {
      data: unknown[]
    }
    if (data.length > 0) return
    await sleep(100)
  }
  assert.fail('The activity log does not have it.')
})
