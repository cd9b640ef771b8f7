/** Sign-in for an application of one's own, against Postern itself, on every framework. */
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { API, claimsOf } from '../../server/test/oauth-server.ts'
import { memoryStore } from '../src/web/index.ts'
import { MOUNTS, openWebApp, Visitor, type WebApp, WEB_KEY } from './support/web-app.ts'

for (const framework of Object.keys(MOUNTS))
  describe(`a web application with ${framework}`, () => {
    let app: WebApp
    before(async () => {
      app = await openWebApp(framework)
    })
    after(() => app.close())

    test('signs in, calls an API by its session, refreshes and signs out, and shows no token', async () => {
      const visitor = new Visitor(app)
      assert.deepEqual((await visitor.call('/auth/session')).json, { signed_in: false })
      assert.equal((await visitor.call('/orders')).json.code, 'missing')

      const back = await visitor.signIn('?return_to=/orders%3Fpage=2%23top')
      assert.equal(back.status, 302, back.text)
      assert.equal(back.headers.get('location'), '/orders?page=2#top')
      for (const cookie of back.headers.getSetCookie()) assert.match(cookie, /; HttpOnly; SameSite=Lax/)

      const listed = await visitor.call('/orders')
      assert.equal(listed.status, 200, listed.text)
      assert.equal(listed.json.sub, visitor.user.id)
      assert.equal(listed.json.clientId, app.client.id)
      assert.deepEqual(listed.json.scopes, ['orders:read'])
      assert.match(listed.json.sessionId, /^ses_/)
      assert.equal((await visitor.call('/orders', 'POST')).json.code, 'insufficient_scope')
      const session = await visitor.call('/auth/session')
      assert.equal(session.json.user.sub, visitor.user.id)

      const before = visitor.cookieHeader()
      app.advance(15 * 60_000)
      const again = await visitor.call('/orders')
      assert.equal(again.status, 200, again.text)
      assert.notEqual(visitor.cookieHeader(), before)
      assert.equal(again.headers.get('cache-control'), 'no-store')
      assert.notEqual(again.json.credential.id, listed.json.credential.id)
      assert.equal((await visitor.call('/auth/refresh', 'POST')).status, 200)
      assert.equal((await visitor.call('/orders')).status, 200)

      const stolen = visitor.cookieHeader()
      const out = await visitor.call('/auth/logout', 'POST')
      assert.equal(out.status, 200, out.text)
      assert.ok(out.json.location.startsWith(`${app.server.issuer}/`))
      assert.equal(visitor.cookieHeader(), '')
      assert.equal((await visitor.call('/orders')).json.code, 'missing')
      await until(
        async () =>
          (await visitor.call('/orders', 'GET', { headers: { cookie: stolen } })).json.code === 'revoked',
      )

      for (const text of visitor.seen) {
        assert.doesNotMatch(text, /eyJ[\w-]+\.[\w-]+\.[\w-]+/)
        for (const value of stolen.split(/; |=/).filter((part) => part.length > 30))
          assert.ok(!text.includes(value))
      }
    })

    test('a form signs out, and Postern sends the browser back', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      const out = await visitor.ask('/auth/logout', {
        method: 'POST',
        headers: { origin: app.origin, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'a=b',
      })
      assert.equal(out.status, 303, out.text)
      const asked = await visitor.browser.visit(String(out.headers.get('location')))
      const back = await visitor.browser.submit(asked, { logout: 'yes' })
      assert.equal(back.url, `${app.origin}/`)
    })

    test('takes a token in a header as well, and refuses both at once', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      const presented = await app.web.present({
        url: '/',
        method: 'GET',
        headers: { cookie: visitor.cookieHeader() },
      })
      assert.ok(presented && 'accessToken' in presented)
      const headers = { authorization: `Bearer ${presented.accessToken}` }
      const alone = await fetch(`${app.origin}/orders`, { headers })
      assert.equal(alone.status, 200)
      assert.equal((await visitor.call('/orders', 'GET', { headers })).json.code, 'multiple_credentials')
    })

    test('is told by the back channel, and refuses what is no logout token', async () => {
      const tell = (body: string, type = 'application/x-www-form-urlencoded') =>
        fetch(`${app.origin}/auth/backchannel-logout`, {
          method: 'POST',
          body,
          headers: { 'content-type': type },
        })
      for (const body of ['', 'logout_token=', 'logout_token=a.b.c', `x=${'y'.repeat(100_000)}`])
        assert.ok([400, 413].includes((await tell(body)).status), body.slice(0, 40))
      assert.equal((await tell('{}', 'application/json')).status, 400)
    })

    test('answers nothing but its own addresses', async () => {
      const visitor = new Visitor(app)
      assert.equal((await visitor.ask('/auth/nothing')).status, 404)
      assert.equal((await visitor.ask('/auth/logout')).status, 405)
      assert.equal((await visitor.ask('/auth/login', { method: 'POST' })).status, 405)
      assert.equal((await visitor.ask('/')).status, 200)
    })
  })

for (const [kept, options] of [
  ['in cookies', () => ({})],
  ['in a store', () => ({ store: memoryStore() })],
] as const)
  describe(`a web session ${kept}`, () => {
    let app: WebApp
    before(async () => {
      app = await openWebApp('express', options())
    })
    after(() => app.close())

    test('is refreshed once, however many requests want it', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      const cookie = visitor.cookieHeader()
      app.advance(15 * 60_000)
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => visitor.call('/orders', 'GET', { headers: { cookie } })),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        answers.map(() => 200),
      )
      assert.equal(new Set(answers.map(({ json }) => json.credential.id)).size, 1)
      // One that was under way with the cookie from before gets the same, too.
      assert.equal((await visitor.call('/orders', 'GET', { headers: { cookie } })).status, 200)
    })

    test('is refreshed by two processes at once without losing its grant', async () => {
      const other = await app.another()
      const visitor = new Visitor(app)
      await visitor.signIn()
      const headers = { cookie: visitor.cookieHeader() }
      app.advance(15 * 60_000)
      const answers = await Promise.all(
        [app.origin, other.origin].map((at) => visitor.call('/orders', 'GET', { at, headers })),
      )
      await other.close()
      for (const { status, text } of answers) assert.equal(status, 200, text)
      assert.equal(new Set(answers.map(({ json }) => json.credential.id)).size, 1)
      assert.equal((await visitor.call('/auth/refresh', 'POST')).status, 200)
    })

    test('ends within a second of its end at Postern, for guards and for the page', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      const { sessionId } = (await visitor.call('/orders')).json
      const begun = Date.now()
      await app.server.manage('POST', '/v1/revocations', {
        targets: [{ kind: 'session', id: sessionId }],
      })
      await until(
        async () => ['revoked', 'missing'].includes((await visitor.call('/orders')).json.code),
        begun,
      )
      assert.deepEqual((await visitor.call('/auth/session')).json, { signed_in: false })
      assert.equal(visitor.cookieHeader(), '')
    })

    test('ends when its user signs out at Postern, by the back channel or the feed', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      await visitor.browser.submit(await visitor.browser.visit('/sign-out'), {})
      await until(async () => ['revoked', 'missing'].includes((await visitor.call('/orders')).json.code))
    })

    test('cannot be refreshed when its grant has ended, and its cookie goes', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      const { grantId } = (await visitor.call('/orders')).json
      await app.server.manage('POST', '/v1/revocations', { targets: [{ kind: 'grant', id: grantId }] })
      const refused = await visitor.call('/auth/refresh', 'POST')
      assert.equal(refused.status, 401, refused.text)
      assert.equal(visitor.cookieHeader(), '')
    })

    test('ends by itself', async () => {
      const visitor = new Visitor(app)
      await visitor.signIn()
      app.advance(12 * 3_600_000 + 1000)
      assert.equal((await visitor.call('/orders')).json.code, 'missing')
      assert.deepEqual((await visitor.call('/auth/session')).json, { signed_in: false })
    })
  })

describe('web sign-in', () => {
  let app: WebApp
  before(async () => {
    app = await openWebApp()
  })
  after(() => app.close())

  test('asks for PKCE, state and nonce, with the redirect URI that is configured, whatever the Host', async () => {
    const visitor = new Visitor(app)
    const { headers } = await visitor.ask('/auth/login', { headers: { 'x-forwarded-host': 'evil.example' } })
    const query = new URL(String(headers.get('location'))).searchParams
    assert.equal(query.get('redirect_uri'), `${app.origin}/auth/callback`)
    assert.equal(query.get('code_challenge_method'), 'S256')
    assert.equal(query.get('resource'), API)
    assert.equal(query.get('scope'), 'openid orders:read')
    for (const name of ['state', 'nonce', 'code_challenge'])
      assert.match(String(query.get(name)), /^[\w-]{43}$/)
    const [cookie = ''] = headers.getSetCookie()
    assert.match(cookie, /^postern-app-\d+-login-[\w-]{12}=.*; Path=\/; HttpOnly; SameSite=Lax; Max-Age=600$/)
    assert.ok(!cookie.includes(String(query.get('state'))))
  })

  test('refuses every way back that leaves the application', async () => {
    const visitor = new Visitor(app)
    const bad = [
      '//evil.example',
      '///evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '/%2fevil.example',
      '/%5cevil.example',
      '/%252fevil.example',
      '/.//evil.example',
      '/x/..//evil.example',
      '/%2e//evil.example',
      '/\t/evil.example',
      '/\n/evil.example',
      '/%0d%0aset-cookie:x=y',
      'https://evil.example',
      'javascript:alert(1)',
      'data:text/html,x',
      'evil.example',
      '@evil.example',
      '',
      ' /x',
      '/ü',
      `/${'x'.repeat(2000)}`,
    ]
    for (const address of bad) {
      const answer = await visitor.ask(`/auth/login?return_to=${encodeURIComponent(address)}`)
      assert.equal(answer.json.code, 'invalid_return_address', address)
      assert.equal(answer.headers.get('location'), null)
    }
    assert.equal((await visitor.ask('/auth/login?return_to=/a&return_to=/b')).status, 400)
    for (const bad of ['prompt=none', 'max_age=-1', 'acr_values=%0a', 'max_age=x'])
      assert.equal((await visitor.ask(`/auth/login?${bad}`)).json.code, 'invalid_request', bad)
  })

  test('never goes round in circles', async () => {
    assert.equal((await new Visitor(app).signIn('?return_to=/auth/login')).headers.get('location'), '/')
  })

  test('takes a callback from the browser that began alone, once', async () => {
    const visitor = new Visitor(app)
    const address = await visitor.toCallback()
    const stranger = new Visitor(app)
    const refused = await stranger.ask(address)
    assert.equal(refused.status, 400)
    assert.match(refused.text, /another browser/)
    assert.equal(stranger.cookies.size, 0)
    // One with a sign-in of its own under way, too: the state is not the one it began with.
    await stranger.ask('/auth/login')
    assert.equal((await stranger.ask(address)).status, 400)

    const kept = new Map(visitor.cookies)
    assert.equal((await visitor.ask(address)).status, 302)
    assert.equal((await visitor.ask(address)).status, 400)
    for (const [name, value] of kept) visitor.cookies.set(name, value)
    assert.equal((await visitor.ask(address)).status, 400, 'the code is used up')
  })

  test('refuses a callback that was changed', async () => {
    const changes: Readonly<Record<string, (query: URLSearchParams) => void>> = {
      'no iss': (query) => query.delete('iss'),
      'another iss': (query) => query.set('iss', 'https://evil.example'),
      'another code': (query) => query.set('code', 'x'.repeat(43)),
      'two codes': (query) => query.append('code', 'x'),
      'two states': (query) => query.append('state', 'x'),
      'no state': (query) => query.delete('state'),
      'a token': (query) => query.set('response', 'x'),
      'an error beside': (query) => query.set('error', '<script>alert(1)</script>'),
      'too long': (query) => query.set('x', 'y'.repeat(5000)),
    }
    for (const [what, change] of Object.entries(changes)) {
      const visitor = new Visitor(app)
      const url = new URL(await visitor.toCallback(), app.origin)
      change(url.searchParams)
      const refused = await visitor.ask(`${url.pathname}${url.search}`)
      assert.ok(refused.status >= 400, `${what}: ${refused.status}`)
      assert.doesNotMatch(refused.text, /script|evil/)
      assert.equal((await visitor.call('/orders')).status, 401, what)
    }
  })

  test('says so when the user refuses, to a page of the application where there is one', async () => {
    const visitor = new Visitor(app)
    const begun = await visitor.ask('/auth/login')
    const state = new URL(String(begun.headers.get('location'))).searchParams.get('state')
    const query = new URLSearchParams({
      error: 'access_denied',
      state: String(state),
      iss: app.server.issuer,
    })
    assert.equal((await visitor.ask(`/auth/callback?${query}`)).status, 403)
    const other = await app.another({ failurePath: '/sorry' })
    const failed = await visitor.ask('/auth/callback?state=x', { at: other.origin })
    await other.close()
    assert.equal(failed.headers.get('location'), '/sorry?sign_in_error=expired')
  })

  test('keeps two tabs apart, and no more than four', async () => {
    const visitor = new Visitor(app)
    const first = await visitor.toCallback('?return_to=/first')
    const second = await visitor.toCallback('?return_to=/second')
    assert.equal((await visitor.ask(first)).headers.get('location'), '/first')
    assert.equal((await visitor.ask(second)).headers.get('location'), '/second')
    for (let round = 0; round < 9; round++) await visitor.ask('/auth/login')
    assert.equal([...visitor.cookies.keys()].filter((name) => name.includes('-login-')).length, 4)
  })

  test('takes the step-up that a challenge named', async () => {
    const { headers } = await new Visitor(app).ask(
      '/auth/login?acr_values=urn:a%20urn:b&max_age=60&prompt=login',
    )
    const query = new URL(String(headers.get('location'))).searchParams
    assert.deepEqual(
      ['acr_values', 'max_age', 'prompt'].map((name) => query.get(name)),
      ['urn:a urn:b', '60', 'login'],
    )
  })

  test('is used by pages of its own alone', async () => {
    const visitor = new Visitor(app)
    await visitor.signIn()
    const own = app.origin
    const attempts: [string, string, Record<string, string>, boolean][] = [
      ['GET', '/orders', {}, true],
      ['GET', '/orders', { 'sec-fetch-site': 'same-origin' }, true],
      ['GET', '/orders', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, true],
      [
        'GET',
        '/orders',
        { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
        true,
      ],
      [
        'GET',
        '/orders',
        { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
        false,
      ],
      ['GET', '/orders', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, false],
      ['GET', '/orders', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, false],
      ['GET', '/orders', { origin: 'https://evil.example' }, false],
      ['GET', '/orders', { origin: 'null' }, false],
      ['POST', '/orders', {}, false],
      ['POST', '/orders', { origin: own, 'sec-fetch-site': 'same-origin' }, false],
      ['POST', '/orders', { origin: own, 'x-csrf': '1' }, true],
      ['POST', '/orders', { origin: 'https://evil.example', 'x-csrf': '1' }, false],
      ['POST', '/orders', { origin: `${own}.evil.example`, 'x-csrf': '1' }, false],
      ['POST', '/orders', { origin: 'null', 'x-csrf': '1' }, false],
      ['POST', '/orders', { origin: 'null', 'sec-fetch-site': 'same-origin', 'x-csrf': '1' }, true],
      ['POST', '/orders', { 'sec-fetch-site': 'same-site', 'x-csrf': '1' }, false],
      ['POST', '/auth/refresh', {}, false],
      ['POST', '/auth/refresh', { 'x-csrf': '1' }, false],
      ['POST', '/auth/refresh', { origin: own }, false],
      ['POST', '/auth/logout', {}, false],
      ['POST', '/auth/logout', { 'x-csrf': '1' }, false],
      ['POST', '/auth/logout', { origin: 'https://evil.example' }, false],
      ['POST', '/auth/logout', { origin: own, 'sec-fetch-site': 'cross-site' }, false],
      ['GET', '/auth/session', { 'sec-fetch-site': 'cross-site' }, false],
    ]
    for (const [method, path, headers, passes] of attempts) {
      const code = await codeOf(app, path, method, { cookie: visitor.cookieHeader(), ...headers })
      assert.equal(code !== 'cross_site', passes, `${method} ${path} ${JSON.stringify(headers)}`)
    }
    assert.equal((await visitor.call('/orders')).status, 200, 'and it goes on')
  })

  test('takes no cookie that was changed, of another application, or for another purpose', async () => {
    const visitor = new Visitor(app)
    await visitor.ask('/auth/login')
    const [pending = ''] = visitor.cookies.values()
    await visitor.signIn()
    const [name, value] = [...visitor.cookies].find(([key]) => !key.includes('-login-')) as [string, string]
    const other = await openWebApp('express', {}, app.server)
    const bad = {
      changed: `${name}=${value.slice(0, -3)}${value.endsWith('AAA') ? 'BBB' : 'AAA'}`,
      'cut off': `${name}=${value.slice(0, 100)}`,
      empty: `${name}=`,
      twice: `${name}=${value}; ${name}=${value}`,
      'a sign-in under way': `${name}=${pending}`,
      'with a chunk of another': `${name}=${value}; ${name}.1=xx`,
      unsealed: `${name}=${Buffer.from('{"accessToken":"x"}').toString('base64url')}`,
      'alg none': `${name}=${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`,
      'a store id': `${name}=${'A'.repeat(43)}`,
    }
    for (const [what, cookie] of Object.entries(bad)) {
      const { json } = await new Visitor(app).call('/orders', 'GET', { headers: { cookie } })
      assert.equal(json.code, 'missing', what)
    }
    const foreign = name.replace(/\d+/, String(new URL(other.origin).port))
    const moved = await new Visitor(other).call('/orders', 'GET', {
      headers: { cookie: `${foreign}=${value}` },
    })
    assert.equal(moved.json.code, 'missing', 'of another application with the same key')
    await other.close()
  })

  test('goes on with a new key in front of the old one, and ends without it', async () => {
    const visitor = new Visitor(app)
    await visitor.signIn()
    const newKey = Buffer.alloc(32, 9).toString('base64')
    const rotated = await app.another({ keys: `${newKey} ${WEB_KEY}` })
    assert.equal((await visitor.call('/orders', 'GET', { at: rotated.origin })).status, 200)
    const without = await app.another({ keys: [newKey] })
    assert.equal((await visitor.call('/orders', 'GET', { at: without.origin })).json.code, 'missing')
    await Promise.all([rotated.close(), without.close()])
  })

  test('says unavailable while Postern is away, and goes on afterwards', async () => {
    let isAway = true
    const away: typeof fetch = (...about) =>
      isAway ? Promise.reject(new TypeError('fetch failed')) : fetch(...about)
    const other = await app.another({ fetch: away })
    const visitor = new Visitor(app)
    await visitor.signIn()
    assert.equal((await visitor.ask('/auth/login', { at: other.origin })).status, 503)
    const renew = () =>
      visitor.ask('/auth/refresh', {
        method: 'POST',
        at: other.origin,
        headers: { origin: app.origin, 'x-csrf': '1' },
      })
    assert.equal((await renew()).json.code, 'unavailable')
    isAway = false
    assert.equal((await renew()).status, 200)
    await other.close()
  })

  test('a session id is of no use to whoever reads the store', async () => {
    const entries: string[] = []
    const memory = memoryStore()
    const store = {
      ...memory,
      write: (key: string, session: Parameters<typeof memory.write>[1]) => {
        entries.push(key, session.value)
        return memory.write(key, session)
      },
    }
    const other = await openWebApp('express', { store }, app.server)
    const visitor = new Visitor(other)
    await visitor.signIn()
    const cookie = visitor.cookieHeader()
    assert.match(cookie, /^postern-app-\d+=[\w-]{43}$/)
    for (const entry of entries) assert.ok(!cookie.includes(entry) && !/eyJ.*\.eyJ/.test(entry))
    const name = cookie.split('=')[0]
    const asKey = await visitor.call('/orders', 'GET', { headers: { cookie: `${name}=${entries[0]}` } })
    assert.equal(asKey.json.code, 'missing')
    await visitor.signIn('?prompt=login')
    assert.notEqual(visitor.cookieHeader(), cookie, 'a sign-in begins a new session')
    assert.equal((await visitor.call('/orders', 'GET', { headers: { cookie } })).json.code, 'missing')
    await other.close()
  })

  test('the access token in the cookie names the session at Postern', async () => {
    const visitor = new Visitor(app)
    await visitor.signIn()
    const presented = await app.web.present({
      url: '/',
      method: 'GET',
      headers: { cookie: visitor.cookieHeader() },
    })
    assert.ok(presented && 'accessToken' in presented)
    assert.match(claimsOf(presented.accessToken).sid, /^ses_/)
  })
})

/** Not by `fetch`, which writes `Sec-Fetch-Mode` itself. */
function codeOf(
  { origin }: WebApp,
  path: string,
  method: string,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${origin}${path}`, { method, headers }, async (response) => {
      const chunks: Buffer[] = []
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
      resolve(JSON.parse(Buffer.concat(chunks).toString()).code)
    })
    request.on('error', reject).end()
  })
}

/** Asks again until it is so, and fails when it is not within five seconds. */
async function until(isSo: () => Promise<boolean>, begunMs = Date.now()): Promise<void> {
  while (!(await isSo())) {
    assert.ok(Date.now() - begunMs < 5000, 'it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
