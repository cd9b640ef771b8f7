import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createVerifier, type VerifierOptions } from '../src/index.ts'
import { parseOptions } from '../src/options.ts'

const GOOD = {
  server: 'https://auth.example.com',
  credential: 'postern_live_own',
  resource: 'https://api.example.com',
}

function refuses(change: object, sentence: RegExp): void {
  assert.throws(() => createVerifier({ ...GOOD, ...change } as VerifierOptions), {
    name: 'TypeError',
    message: sentence,
  })
}

test('takes https servers anywhere and http on loopback', () => {
  for (const [server, base] of [
    ['https://auth.example.com', 'https://auth.example.com'],
    ['https://example.com/postern/', 'https://example.com/postern'],
    ['http://localhost:4800', 'http://localhost:4800'],
    ['http://127.0.0.1:4800/', 'http://127.0.0.1:4800'],
    ['http://127.1.2.3', 'http://127.1.2.3'],
    ['http://[::1]:4800', 'http://[::1]:4800'],
  ])
    assert.equal(parseOptions({ ...GOOD, server: server as string }).server, base)
  assert.ok(parseOptions({ ...GOOD, server: new URL(GOOD.server) }))
})

test('refuses plain http to anywhere else', () => {
  for (const server of [
    'http://auth.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
    'http://127.example.com',
    'http://[::2]',
    'http://0.0.0.0',
    'HTTP://auth.example.com',
  ])
    refuses({ server }, /must use https/)
})

test('refuses a server that is not a base URL', () => {
  for (const server of ['', 'auth.example.com', undefined, 'ftp://a.example', 'postgres://localhost'])
    refuses({ server }, /server must be the base URL/)
  for (const server of [
    'https://a:b@auth.example.com',
    'https://auth.example.com?a',
    'https://auth.example.com/#a',
  ])
    refuses({ server }, /without user, query or fragment/)
})

test('refuses a missing credential with a hint, and a wrong one without repeating it', () => {
  refuses({ credential: undefined }, /is its environment variable set/)
  for (const credential of ['', 'with space', 'line\nbreak', 7, 'x'.repeat(9000)])
    refuses({ credential }, /credential must be/)
  assert.throws(
    () => createVerifier({ ...GOOD, credential: 'very secret' }),
    (error: Error) => !error.message.includes('very secret'),
  )
})

test('refuses a resource that is not an absolute URI without fragment', () => {
  for (const resource of ['', 'orders', '/orders', 'https://api.example.com#a', undefined, 'https://a b'])
    refuses({ resource }, /resource must be the URI/)
  assert.ok(createVerifier({ ...GOOD, resource: 'urn:acme:orders' }))
})

test('refuses a legacy header that is no name, is read anyway, or is a cookie', () => {
  for (const legacyHeader of ['', 'a b', 'a:', 'Authorization', 'x-api-key', 'Cookie'])
    refuses({ legacyHeader }, /legacyHeader must be/)
  assert.equal(parseOptions({ ...GOOD, legacyHeader: 'X-Acme-Token' }).legacyHeader, 'x-acme-token')
})

test('refuses numbers out of range', () => {
  refuses({ cacheSeconds: -1 }, /cacheSeconds must be a number from 0 to 3600/)
  refuses({ cacheSeconds: Number.NaN }, /cacheSeconds/)
  refuses({ cacheSeconds: '5' }, /cacheSeconds/)
  refuses({ cacheEntries: 1.5 }, /cacheEntries must be a whole number/)
  refuses({ timeoutSeconds: 0 }, /timeoutSeconds/)
  refuses({ asksPerSecond: 0 }, /asksPerSecond/)
})

test('refuses what else is not of its kind', () => {
  refuses({ tenant: 'acme' }, /tenant must be/)
  refuses({ environment: 'prod' }, /environment must be/)
  refuses({ onWarning: 'warn' }, /onWarning must be a function/)
  refuses({ fetch: {} }, /fetch must be a function/)
  assert.throws(() => createVerifier(undefined as never), /expects an object/)
})

test('keeps an answer for at most 5 seconds unless told otherwise', () => {
  assert.equal(parseOptions(GOOD).cacheMs, 5000)
})
