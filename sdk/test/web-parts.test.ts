/** What the handlers of `@postern/sdk/web` are made of, by itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createProxyGuard } from '../src/adapters/next.ts'
import { systemClock } from '../src/clock.ts'
import { denial } from '../src/denial.ts'
import type { Verifier } from '../src/verifier.ts'
import { chunksOf, cookieNames, cookieText, joinChunks, readCookies } from '../src/web/cookies.ts'
import { createWeb, memoryStore, type WebOptions } from '../src/web/index.ts'
import { createRefresher } from '../src/web/refresher.ts'
import { isSafePath } from '../src/web/return-address.ts'
import { createSealer } from '../src/web/seal.ts'
import { createSessionKeeper } from '../src/web/session-keeper.ts'
import type { Session } from '../src/web/session.ts'
import { parseWebOptions } from '../src/web/web-options.ts'

const KEY = Buffer.alloc(32, 1).toString('base64')
const OPTIONS: WebOptions = {
  issuer: 'https://auth.example.com',
  clientId: 'cli_1',
  clientSecret: 'cs_live_secret',
  origin: 'https://shop.example.com',
  keys: KEY,
  resource: 'https://api.example.com',
}
const SESSION: Session = {
  accessToken: 'a',
  accessEndsAtMs: 0,
  refreshToken: 'r',
  sid: 's',
  user: { sub: 'usr_1' },
  endsAtMs: Date.now() + 3_600_000,
}

test('refuses options that cannot work, by name and without the secret', () => {
  assert.equal(createWeb(OPTIONS).path, '/auth')
  const bad: [string, Partial<Record<keyof WebOptions, unknown>>][] = [
    ['issuer', { issuer: undefined }],
    ['issuer', { issuer: 'http://auth.example.com' }],
    ['issuer', { issuer: 'https://a:b@auth.example.com' }],
    ['clientId', { clientId: undefined }],
    ['clientSecret', { clientSecret: undefined }],
    ['clientSecret', { clientSecret: 'cs_live_secret\n' }],
    ['origin', { origin: undefined }],
    ['origin', { origin: 'http://shop.example.com' }],
    ['origin', { origin: 'https://shop.example.com/x' }],
    ['keys', { keys: undefined }],
    ['keys', { keys: '' }],
    ['keys', { keys: 'too short' }],
    ['keys', { keys: [KEY, 'short'] }],
    ['resource', { resource: undefined }],
    ['resource', { verifier: { resource: 'https://other.example.com' } }],
    ['scopes', { scopes: 'orders:read' }],
    ['scopes', { scopes: ['a b'] }],
    ['path', { path: '//evil.example' }],
    ['path', { path: 'auth' }],
    ['afterLogout', { afterLogout: 'https://evil.example' }],
    ['failurePath', { failurePath: '/x?y' }],
    ['lifetimeSeconds', { lifetimeSeconds: 1 }],
    ['sameSite', { sameSite: 'None' }],
  ]
  for (const [name, change] of bad)
    assert.throws(
      () => createWeb({ ...OPTIONS, ...change } as WebOptions),
      (error: Error) =>
        error instanceof TypeError &&
        error.message.includes(name) &&
        !/cs_live|too short/.test(error.message),
      JSON.stringify(change),
    )
})

test('cookies are Secure and of this host alone, except on loopback without https', () => {
  const names = cookieNames({ origin: 'https://shop.example.com' })
  assert.deepEqual([names.session, names.login], ['__Host-postern-app', '__Host-postern-app-login-'])
  assert.equal(
    cookieText(names.session, 'x', { secure: names.secure, sameSite: 'Lax', maxAgeSeconds: 60 }),
    '__Host-postern-app=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure',
  )
  assert.deepEqual(cookieNames({ origin: 'http://localhost:3000' }), {
    session: 'postern-app-3000',
    login: 'postern-app-3000-login-',
    secure: false,
  })
})

test('a cookie that is there twice counts for nothing', () => {
  assert.deepEqual(
    [...readCookies('a=1; b=2; a=3; c; =d; e=f=g')],
    [
      ['b', '2'],
      ['', 'd'],
      ['e', 'f=g'],
    ],
  )
})

test('a value is spread over three cookies at most', () => {
  for (const length of [1, 3600, 3601, 10_800]) {
    const value = 'x'.repeat(length)
    const chunks = chunksOf('c', value)
    assert.ok(chunks)
    for (const chunk of chunks.values()) assert.ok(chunk.length <= 3600)
    assert.equal(joinChunks('c', chunks), value)
  }
  assert.equal(chunksOf('c', 'x'.repeat(10_801)), undefined)
})

test('a large session takes more cookies, a smaller one gives them back, and one too large says so', async () => {
  const config = parseWebOptions(OPTIONS)
  const keeper = createSessionKeeper(config, cookieNames(config), systemClock)
  const jar = new Map<string, string>()
  const put = (cookies: readonly string[]): void => {
    for (const text of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      if (text.includes('Max-Age=0')) jar.delete(name)
      else jar.set(name, value)
    }
  }
  const large = { ...SESSION, accessToken: 'x'.repeat(5000) }
  put(await keeper.start(large, jar))
  assert.deepEqual([...jar.keys()], ['__Host-postern-app', '__Host-postern-app.1'])
  assert.deepEqual(await keeper.read(jar), large)
  put(await keeper.renew(SESSION, jar))
  assert.deepEqual([...jar.keys()], ['__Host-postern-app'])
  assert.deepEqual(await keeper.read(jar), SESSION)
  await assert.rejects(
    keeper.start({ ...SESSION, accessToken: 'x'.repeat(9000) }, jar),
    /give createWeb a store/,
  )
  put(await keeper.end(jar))
  assert.equal(jar.size, 0)
})

test('what was sealed opens for its purpose alone, until it ends', async () => {
  const keys = [new Uint8Array(32).fill(1)]
  const sealer = createSealer<object>(keys, 'one', systemClock)
  const sealed = await sealer.seal({ a: 1 }, Date.now() + 60_000)
  assert.deepEqual(await sealer.open(sealed), { a: 1 })
  assert.equal(await createSealer(keys, 'another', systemClock).open(sealed), undefined)
  assert.equal(await createSealer([new Uint8Array(32).fill(2)], 'one', systemClock).open(sealed), undefined)
  assert.equal(await sealer.open(await sealer.seal({ a: 1 }, Date.now() - 1000)), undefined)
  assert.notEqual(await sealer.seal({ a: 1 }, Date.now() + 60_000), sealed)
  for (const text of ['', 'x', `${sealed}x`, sealed.slice(1), 'a.b.c.d.e'])
    assert.equal(await sealer.open(text), undefined)
})

test('a way back within the application is taken as it is', () => {
  for (const path of ['/', '/orders', '/a/b?c=d&e=/f#g', '/a%20b', '/a//b', '/@x', '/?next=//evil.example'])
    assert.ok(isSafePath(path), path)
})

test('a refresh that could not be asked is tried again, one that was refused is not', async () => {
  const answers: (() => Promise<never>)[] = [
    () => Promise.reject(new TypeError('fetch failed')),
    () => Promise.reject(Object.assign(new Error('x'), { error: 'invalid_client' })),
    () => Promise.reject(Object.assign(new Error('x'), { error: 'invalid_grant' })),
  ]
  let asked = 0
  const refresher = createRefresher({ refresh: () => answers[asked++]?.() } as never, systemClock)
  assert.equal(await refresher.refresh(SESSION), 'unavailable')
  assert.equal(await refresher.refresh(SESSION), 'unavailable')
  assert.equal(await refresher.refresh(SESSION), 'ended')
  assert.equal(await refresher.refresh(SESSION), 'ended')
  assert.equal(asked, 3)
  assert.equal(await refresher.refresh({ ...SESSION, refreshToken: undefined }), 'ended')
})

test('a session is refreshed once, for all who want it and for those who come late', async () => {
  let asked = 0
  const tokens = { access_token: 'new', refresh_token: 'r2', expires_in: 900, token_type: 'bearer' }
  const refresh = async () => {
    asked++
    await new Promise((resolve) => setTimeout(resolve, 10))
    return tokens
  }
  let aheadMs = 0
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
  const refresher = createRefresher({ refresh } as never, clock)
  const all = await Promise.all(Array.from({ length: 20 }, () => refresher.refresh(SESSION)))
  assert.equal(asked, 1)
  for (const refreshed of [...all, await refresher.refresh(SESSION)])
    assert.equal(typeof refreshed === 'object' && refreshed.accessToken, 'new')
  assert.equal(asked, 1)
  aheadMs = 11_000
  await refresher.refresh(SESSION)
  assert.equal(asked, 2)
})

test('a store in memory is bounded, forgets what has ended, and brings nothing back', async () => {
  const store = memoryStore({ capacity: 2 })
  const about = { sub: 'u', sid: 's', endsAtMs: Date.now() + 60_000 }
  for (const key of ['a', 'b', 'c']) await store.write(key, { ...about, value: key })
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((key) => store.read(key))), [undefined, 'b', 'c'])
  await store.write('d', { ...about, value: 'd', endsAtMs: Date.now() - 1 })
  assert.equal(await store.read('d'), undefined)
  await store.delete('c')
  await store.replace('c', 'late')
  assert.equal(await store.read('c'), undefined)
})

test("Next's proxy lets a session that is due for a refresh go on to its guard, and refuses one that has ended", async () => {
  const verifierThat = (result: ReturnType<typeof denial>) =>
    ({
      resource: 'https://api.example.com',
      verify: () => result,
      limitsOf: () => [],
    }) as unknown as Verifier
  const session = {
    present: () => undefined,
    presentAsItIs: () => Promise.resolve({ cookies: [], accessToken: 'x' }),
  }
  const request = new Request('https://shop.example.com/orders')
  const due = createProxyGuard(verifierThat(denial('expired')), { session })
  assert.equal(await due(request), undefined)
  const ended = createProxyGuard(verifierThat(denial('revoked')), { session })
  assert.equal((await ended(request))?.status, 401)
  const withoutSession = createProxyGuard(verifierThat(denial('expired')))
  assert.equal((await withoutSession(request))?.status, 401)
})
