import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { PosternError } from '../kernel/index.ts'
import { currentSession, endSession, purgeIdentity, setPassword } from './index.ts'
import { PasswordHasher } from './password-hasher.ts'
import { hashPassword, parseHash } from './password-hash.ts'
import {
  CHEAP,
  openTestIdentity,
  OPERATOR,
  PASSWORD,
  TestBrowser,
  type TestIdentity,
} from './test-identity.ts'

const HOUR_MS = 3_600_000
const SESSION = '__Host-postern'

onBothDatabases('signing in', (fresh) => {
  let test: TestIdentity
  let adaId: string
  before(async () => {
    test = await openTestIdentity(await fresh(), {
      throttles: { account: { take: () => 0 }, network: { take: () => 0 } },
    })
    adaId = (await test.user('ada', PASSWORD)).id
    await test.manage('PATCH', `/v1/users/${adaId}`, { email: 'ada@example.com' })
    await test.user('disabled', PASSWORD).then(({ id }) => test.manage('POST', `/v1/users/${id}/disable`))
    await test.user('passwordless')
  })
  after(() => test.close())

  const browser = (headers?: Record<string, string>): TestBrowser => new TestBrowser(test.server, headers)
  const signedIn = async (name = 'ada'): Promise<TestBrowser> => {
    const one = browser()
    assert.equal((await one.signIn(name)).statusCode, 303)
    return one
  }

  it('signs in with a username or an e-mail address in any case, and sets a cookie that no script reads', async () => {
    for (const identifier of ['ada', ' ADA ', 'Ada@EXAMPLE.com']) {
      const one = browser()
      const answer = await one.signIn(identifier)
      assert.equal(answer.headers['location'], '/sign-in')
      const cookie = [answer.headers['set-cookie'] ?? []].flat().find((set) => set.startsWith(SESSION))
      assert.match(
        cookie ?? '',
        /^__Host-postern=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=604800$/,
      )
      assert.equal(await one.signedInAs(), 'ada the tester')
    }
  })

  it('gives one answer, for the work of one hash, to everyone who is refused', async () => {
    const bodies = new Set<string>()
    for (const [identifier, password, code] of [
      ['ada', 'not the right password', 'wrong_password'],
      ['nobody', PASSWORD, 'unknown_user'],
      ['not a username!', PASSWORD, 'unknown_user'],
      ['disabled', PASSWORD, 'disabled'],
      ['passwordless', PASSWORD, 'wrong_password'],
      ['ada', 'x'.repeat(2_000), 'wrong_password'],
    ] as const) {
      const [hashes, one] = [test.identity.hasher.computed, browser()]
      const answer = await one.signIn(identifier, password)
      assert.equal(answer.statusCode, 403, identifier)
      assert.equal(test.identity.hasher.computed - hashes, 1, identifier)
      assert.equal(test.noted.at(-1)?.code, code)
      assert.equal(one.cookies.has(SESSION), false)
      bodies.add(
        answer.body
          .replace(/form_token" value="[^"]*"|challenge&#34;:&#34;[\w-]+|place_mark=[\w-]+/g, '')
          .replace(identifier, ''),
      )
    }
    assert.equal(bodies.size, 1)
  })

  it('takes a password typed in another Unicode form', async () => {
    const { id } = await test.user('composed', 'crème brûlée au café'.normalize('NFC'))
    assert.ok(id)
    assert.equal(
      (await browser().signIn('composed', 'crème brûlée au café'.normalize('NFD'))).statusCode,
      303,
    )
  })

  it('keeps neither the password nor the cookie’s value in the database', async () => {
    const one = await signedIn()
    const dump = await test.dump()
    assert.ok(dump.includes('$argon2id$v=19$m=64,t=1,p=1$') && dump.includes(adaId))
    assert.ok(!dump.includes(PASSWORD))
    assert.ok(!dump.includes(one.cookies.get(SESSION) ?? 'no cookie'))
  })

  it('makes a session of its own value, whatever the browser came with', async () => {
    const planted = 'A'.repeat(43)
    const victim = browser()
    victim.cookies.set(SESSION, planted)
    await victim.signIn('ada')
    assert.notEqual(victim.cookies.get(SESSION), planted)
    const attacker = browser()
    attacker.cookies.set(SESSION, planted)
    assert.equal(await attacker.signedInAs(), undefined)
  })

  it('changes the cookie’s value when the same user signs in again, and keeps the session', async () => {
    const one = await signedIn()
    const old = one.cookies.get(SESSION) ?? ''
    const idOf = async (value: string) =>
      (await currentSession(test.identity, { headers: { cookie: `${SESSION}=${value}` }, ip: '192.0.2.1' }))
        ?.session.id
    const id = await idOf(old)
    const feed = await test.feed()
    const token = /name="form_token" value="([^"]+)"/.exec((await browserForm(one)) ?? '')?.[1] ?? ''
    assert.equal(
      (await one.post('/sign-in', { form_token: token, identifier: 'ada', password: PASSWORD })).statusCode,
      303,
    )
    assert.equal(await idOf(old), undefined)
    assert.equal(await idOf(one.cookies.get(SESSION) ?? ''), id)
    assert.deepEqual(await test.feed(), feed)
  })

  /** The sign-in form, as a browser that is signed in gets it from an application's request for a new sign-in. */
  async function browserForm(one: TestBrowser): Promise<string> {
    const token = test.identity.forms.token(
      { binding: one.cookies.get('__Host-postern-form') ?? '' },
      '/sign-in',
    )
    return `name="form_token" value="${token}"`
  }

  it('ends the session of the browser when another user signs in there', async () => {
    await test.user('second', PASSWORD)
    const one = await signedIn()
    const old = one.cookies.get(SESSION) ?? ''
    const token = /value="([^"]+)"/.exec(await browserForm(one))?.[1] ?? ''
    await one.post('/sign-in', { form_token: token, identifier: 'second', password: PASSWORD })
    assert.equal(await one.signedInAs(), 'second the tester')
    const thief = browser()
    thief.cookies.set(SESSION, old)
    assert.equal(await thief.signedInAs(), undefined)
    assert.match((await test.feed()).at(-1) ?? '', /^session ses_\w+ revoked$/)
  })

  for (const [way, headers, status] of [
    ['another origin', { origin: 'https://evil.example' }, 403],
    ['an origin that only begins the same', { origin: 'https://id.example.com.evil.example' }, 403],
    ['no origin that it would name', { origin: 'null' }, 403],
    ['a page of another site, as the browser says', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of another host of the site', { 'sec-fetch-site': 'same-site' }, 403],
  ] as const)
    it(`refuses a form from ${way}`, async () => {
      const one = browser()
      const hashes = test.identity.hasher.computed
      const answer = await one.submit('/sign-in', { identifier: 'ada', password: PASSWORD }, headers)
      assert.equal(answer.statusCode, status)
      assert.match(answer.body, /did not come from here/)
      assert.equal(one.cookies.has(SESSION), false)
      assert.equal(test.identity.hasher.computed, hashes)
    })

  it('takes a form from a browser that says neither origin nor site, if its token is right', async () => {
    const silent = { origin: '', 'sec-fetch-site': '' }
    const fields = { identifier: 'ada', password: PASSWORD }
    assert.equal((await browser().submit('/sign-in', fields, silent)).statusCode, 303)
    const wrong = await browser().submit('/sign-in', { ...fields, form_token: 'x' }, silent)
    assert.equal(wrong.statusCode, 403)
  })

  it('refuses a token that another browser was given, that is for another form, or that comes without its cookie', async () => {
    const [one, other] = [browser(), browser()]
    const token = /form_token" value="([^"]+)"/.exec((await other.get('/sign-in')).body)?.[1] ?? ''
    await one.get('/sign-in')
    const fields = { identifier: 'ada', password: PASSWORD, form_token: token }
    assert.match((await one.post('/sign-in', fields)).body, /too old/)
    assert.equal((await one.post('/sign-in', fields)).statusCode, 403)
    const binding = other.cookies.get('__Host-postern-form') ?? ''
    const elsewhere = test.identity.forms.token({ binding }, '/sign-out')
    assert.equal((await other.post('/sign-in', { ...fields, form_token: elsewhere })).statusCode, 403)
    other.cookies.clear()
    assert.equal((await other.post('/sign-in', fields)).statusCode, 403)
  })

  it('asks for what was left away, keeps what was typed, escapes it, and never shows the password', async () => {
    const one = browser()
    const empty = await one.submit('/sign-in', { identifier: '', password: PASSWORD })
    assert.equal(empty.statusCode, 400)
    assert.match(empty.body, /href="#identifier"/)
    const half = await one.submit('/sign-in', { identifier: '"><script>', password: '' })
    assert.match(half.body, /href="#password"/)
    assert.ok(!half.body.includes('<script>') && half.body.includes('&#34;&#62;&#60;script&#62;'))
    assert.ok(!empty.body.includes(PASSWORD))
  })

  for (const [fault, payload, type, status] of [
    ['a field that comes twice', 'identifier=ada&identifier=eve', 'application/x-www-form-urlencoded', 400],
    ['a malformed escape', 'identifier=%zz', 'application/x-www-form-urlencoded', 400],
    ['a NUL', 'identifier=a%00', 'application/x-www-form-urlencoded', 400],
    ['a field that is not in the form', 'next=//evil.example', 'application/x-www-form-urlencoded', 400],
    ['JSON', '{"identifier":"ada"}', 'application/json', 415],
    ['70 kB', `identifier=${'a'.repeat(70_000)}`, 'application/x-www-form-urlencoded', 413],
  ] as const)
    it(`answers ${fault} with a page`, async () => {
      const answer = await test.server.inject({
        method: 'POST',
        url: '/sign-in',
        headers: { 'content-type': type },
        payload,
      })
      assert.equal(answer.statusCode, status)
      assert.match(String(answer.headers['content-type']), /^text\/html/)
    })

  it('takes no form where JSON is asked for', async () => {
    const answer = await test.server.inject({
      method: 'POST',
      url: '/v1/users',
      headers: { authorization: 'deployment', 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'username=x',
    })
    assert.equal(answer.statusCode, 415)
  })

  it('leads nowhere but to itself, whatever the URL says', async () => {
    const one = browser()
    const answer = await one.submit('/sign-in?rd=//evil.example', { identifier: 'ada', password: PASSWORD })
    assert.equal(answer.headers['location'], '/sign-in')
  })

  it('signs out with a form of this session, and asks again when it is not', async () => {
    const one = await signedIn()
    const value = one.cookies.get(SESSION) ?? ''
    assert.equal((await one.post('/sign-out', { form_token: 'x' })).statusCode, 403)
    assert.equal(await one.signedInAs(), 'ada the tester')
    const forged = await one.submit('/sign-out', {}, { origin: 'https://evil.example' })
    assert.equal(forged.statusCode, 403)
    await one.submit('/sign-out', {})
    assert.equal(one.cookies.has(SESSION), false)
    one.cookies.set(SESSION, value)
    assert.equal(await one.signedInAs(), undefined)
    assert.equal((await test.audited()).at(-1), 'session.ended')
  })

  it('lets no form of another site delete the session’s cookie, which it comes without', async () => {
    const stranger = browser()
    for (const headers of [{ origin: 'https://evil.example' }, { origin: '', 'sec-fetch-site': '' }]) {
      const answer = await stranger.post('/sign-out', { form_token: 'x' }, headers)
      assert.equal(answer.headers['set-cookie'], undefined)
    }
  })

  it('does not take a second session cookie for one of them', async () => {
    const one = await signedIn()
    const value = one.cookies.get(SESSION) ?? ''
    const headers = { cookie: `${SESSION}=${value}; ${SESSION}=${value}` }
    assert.equal(await currentSession(test.identity, { headers, ip: '192.0.2.1' }), undefined)
  })

  it('ends everything when a user signs out everywhere, and signing in again works', async () => {
    const [one, two, other] = [await signedIn(), await signedIn(), await signedIn('second')]
    const answer = await test.manage('POST', `/v1/users/${adaId}/sign-out-everywhere`, {})
    assert.equal(answer.statusCode, 204)
    assert.deepEqual([await one.signedInAs(), await two.signedInAs()], [undefined, undefined])
    assert.equal(await other.signedInAs(), 'second the tester')
    const listed = await test.manage('GET', `/v1/users/${adaId}/sessions`)
    assert.deepEqual(listed.json().data, [])
    assert.equal((await one.signIn('ada')).statusCode, 303)
    assert.equal(await one.signedInAs(), 'ada the tester')
    assert.equal(await two.signedInAs(), undefined)
  })

  it('a session is born dead when its user signs out everywhere while the password is being checked', async () => {
    const one = browser()
    const { hasher } = test.identity
    const matches = hasher.matches.bind(hasher)
    hasher.matches = async (...words) => {
      hasher.matches = matches
      await test.manage('POST', `/v1/users/${adaId}/sign-out-everywhere`, {})
      return matches(...words)
    }
    await one.signIn('ada')
    assert.equal(await one.signedInAs(), undefined)
  })

  it('refuses a sign-in whose password was replaced while it was being checked', async () => {
    const { id } = await test.user('replaced', PASSWORD)
    const { hasher } = test.identity
    const matches = hasher.matches.bind(hasher)
    hasher.matches = async (...words) => {
      hasher.matches = matches
      const answer = await matches(...words)
      await setPassword(test.identity, OPERATOR, id, 'another long password')
      return answer
    }
    assert.equal((await browser().signIn('replaced')).statusCode, 403)
    assert.equal(test.noted.at(-1)?.code, 'changed_meanwhile')
  })

  for (const [change, path, body] of [
    ['is disabled', 'disable', {}],
    ['gets another password', 'password', { password: 'another long password' }],
  ] as const)
    it(`ends the sessions of a user who ${change}`, async () => {
      const { id } = await test.user(`user-${path}`, PASSWORD)
      const one = await signedIn(`user-${path}`)
      assert.notEqual(await one.signedInAs(), undefined)
      assert.equal((await test.manage('POST', `/v1/users/${id}/${path}`, body)).statusCode, 200)
      assert.equal(await one.signedInAs(), undefined)
      assert.equal((await one.signIn(`user-${path}`)).statusCode, 403)
      if (path === 'disable') {
        await test.manage('POST', `/v1/users/${id}/enable`)
        assert.equal((await browser().signIn(`user-${path}`)).statusCode, 303)
      }
    })

  it('ends the sessions of a user who is deleted', async () => {
    const { id } = await test.user('deleted', PASSWORD)
    const one = await signedIn('deleted')
    await test.manage('DELETE', `/v1/users/${id}`)
    assert.equal(await one.signedInAs(), undefined)
    assert.equal((await one.signIn('deleted')).statusCode, 403)
  })

  it('lists sessions and ends one, while another goes on', async () => {
    const { id } = await test.user('lister', PASSWORD)
    const one = browser({ 'user-agent': 'One\u0007 browser' })
    await one.signIn('lister')
    test.clock.pass(1)
    const two = await signedIn('lister')
    const { data } = (await test.manage('GET', `/v1/users/${id}/sessions`)).json()
    assert.equal(data.length, 2)
    const { id: sessionId, user_agent: agent, amr, network } = data[0]
    assert.deepEqual([agent, amr, network], ['One browser', ['pwd'], '127.0.0.0/24'])
    const foreign = await test.manage('DELETE', `/v1/users/${adaId}/sessions/${sessionId}`)
    assert.equal(foreign.statusCode, 404)
    assert.equal((await test.manage('DELETE', `/v1/users/${id}/sessions/${sessionId}`)).statusCode, 204)
    assert.equal((await test.feed()).at(-1), `session ${sessionId} revoked`)
    assert.equal(await one.signedInAs(), undefined)
    assert.equal(await two.signedInAs(), 'lister the tester')
    assert.equal((await test.manage('DELETE', `/v1/users/${id}/sessions/${sessionId}`)).statusCode, 404)
  })

  it('two sign-outs at once end a session once', async () => {
    const { id } = await test.user('racer', PASSWORD)
    for (let round = 0; round < 20; round++) {
      await signedIn('racer')
      const [session] = (await test.manage('GET', `/v1/users/${id}/sessions`)).json().data
      const ended = await Promise.all(
        [1, 2, 3].map(() =>
          test.storage.write((tx) =>
            endSession(tx, test.changes, OPERATOR, { id: session.id, reason: 'race' }),
          ),
        ),
      )
      assert.equal(ended.filter(Boolean).length, 1)
      assert.equal((await test.feed()).filter((row) => row.includes(session.id)).length, 1)
    }
  })

  it('ends a session that nobody used for 12 hours, and any after 7 days', async () => {
    await test.user('idler', PASSWORD)
    const [idle, busy] = [await signedIn('idler'), await signedIn('idler')]
    for (let hours = 0; hours < 7 * 24; hours += 11) {
      assert.notEqual(await busy.signedInAs(), undefined, `after ${hours} hours`)
      await test.identity.sessionUse.flush()
      test.clock.pass(11 * HOUR_MS)
      if (hours === 0) assert.notEqual(await idle.signedInAs(), undefined)
      if (hours === 22) assert.equal(await idle.signedInAs(), undefined)
    }
    assert.equal(await busy.signedInAs(), undefined)
    assert.ok((await purgeIdentity(test.storage, test.clock)) > 0)
    assert.ok(!(await test.dump()).includes('secret_hash'))
  })

  it('ends the oldest session of a user who has fifty', async () => {
    await test.user('hoarder', PASSWORD)
    const first = await signedIn('hoarder')
    for (let count = 1; count < 50; count++) {
      test.clock.pass(1)
      await signedIn('hoarder')
    }
    assert.notEqual(await first.signedInAs(), undefined)
    test.clock.pass(1)
    await signedIn('hoarder')
    assert.equal(await first.signedInAs(), undefined)
  })

  it('hashes a password anew at sign-in when the parameters have changed', async () => {
    const { id } = await test.user('outdated', PASSWORD)
    const newer = { memory: 128, passes: 1, parallelism: 1 }
    const identity = { ...test.identity, hasher: new PasswordHasher({ parameters: newer }) }
    const { signIn } = await import('./index.ts')
    const input = { identifier: 'outdated', password: PASSWORD, ip: '192.0.2.1', binding: 'b' }
    assert.equal((await signIn(identity, input)).signedIn, true)
    assert.equal(identity.hasher.computed, 2)
    assert.equal((await signIn(identity, input)).signedIn, true)
    assert.equal(identity.hasher.computed, 3)
    assert.ok((await test.dump()).includes('$m=128,'))
    assert.ok(id)
  })
})

onBothDatabases('throttling of sign-ins', (fresh) => {
  let test: TestIdentity
  before(async () => {
    test = await openTestIdentity(await fresh())
    await test.user('ada', PASSWORD)
    await test.user('bob', PASSWORD)
  })
  after(() => test.close())

  it('holds up guesses at one account from one network, and nobody else', async () => {
    const guesser = new TestBrowser(test.server)
    for (const name of ['ada', 'nobody']) {
      for (let guess = 0; guess < 10; guess++)
        assert.equal((await guesser.signIn(name, 'a wrong password')).statusCode, 403)
      const hashes = test.identity.hasher.computed
      const answer = await guesser.signIn(name)
      assert.equal(answer.statusCode, 429)
      assert.equal(answer.headers['retry-after'], '30')
      assert.equal(test.identity.hasher.computed, hashes)
    }
    assert.equal((await guesser.signIn('bob')).statusCode, 303)
    const { signIn } = await import('./index.ts')
    const elsewhere = { identifier: 'ADA', password: PASSWORD, ip: '198.51.100.7', binding: 'b' }
    assert.equal((await signIn(test.identity, elsewhere)).signedIn, true)
    test.clock.pass(30_000)
    assert.equal((await new TestBrowser(test.server).signIn('ada')).statusCode, 303)
  })

  it('holds up one network that tries a password on many accounts', async () => {
    const { signIn } = await import('./index.ts')
    const outcomes = []
    for (let account = 0; account < 61; account++)
      outcomes.push(
        await signIn(test.identity, {
          identifier: `user${account}`,
          password: PASSWORD,
          ip: '203.0.113.9',
          binding: 'b',
        }),
      )
    assert.deepEqual(outcomes.at(-1), { signedIn: false, refusal: 'throttled', retryAfterSeconds: 1 })
    assert.deepEqual(outcomes.at(-2), { signedIn: false, refusal: 'wrong' })
  })
})

it('refuses what would wait too long for its hash, and serves what waits in order', async () => {
  const hasher = new PasswordHasher({ parameters: CHEAP, running: 1, waiting: 2 })
  const order: number[] = []
  const tries = [0, 1, 2, 3].map((turn) => hasher.hash(`password ${turn}`).then(() => order.push(turn)))
  const results = await Promise.allSettled(tries)
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
  )
  assert.deepEqual(order, [0, 1, 2])
  const { reason } = results[3] as PromiseRejectedResult
  assert.ok(reason instanceof PosternError && reason.code === 'too_many_requests')
  assert.equal(await hasher.matches('x', await hasher.hash('x')), true)
})

it('writes hashes that it can read, and computes none that asks for too much', async () => {
  const encoded = await hashPassword('a password', CHEAP)
  const parsed = parseHash(encoded)
  assert.deepEqual([parsed?.memory, parsed?.salt.length, parsed?.tag.length], [64, 16, 32])
  for (const [found, replaced] of [
    ['m=64', 'm=9999999'],
    ['t=1', 't=999'],
    ['p=1', 'p=99'],
    ['m=64', 'm=4'],
    ['argon2id', 'argon2i'],
    ['v=19', 'v=16'],
  ] as const)
    assert.equal(parseHash(encoded.replace(found, replaced)), undefined, replaced)
  const hasher = new PasswordHasher({ parameters: CHEAP })
  assert.equal(await hasher.matches('a password', 'not a hash'), false)
  assert.equal(hasher.computed, 1)
})
