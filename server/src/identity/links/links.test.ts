import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { generateSync } from 'otplib'
import { onBothDatabases } from '../../../test/databases.ts'
import { setPassword } from '../index.ts'
import {
  ISSUER,
  openTestIdentity,
  OPERATOR,
  PASSWORD,
  TestBrowser,
  type TestIdentity,
  tokenIn,
} from '../test-identity.ts'

const SESSION = '__Host-postern'
const NEW = 'an entirely new password'

onBothDatabases('links by e-mail', (fresh) => {
  let test: TestIdentity
  let count = 0
  before(async () => {
    test = await openTestIdentity(await fresh(), {
      throttles: { account: { take: () => 0 }, network: { take: () => 0 } },
      signUp: { open: true },
    })
  })
  after(() => test.close())

  async function person(): Promise<{ id: string; name: string; email: string }> {
    const name = `person${count++}`
    const { id } = await test.user(name, PASSWORD)
    const email = `${name}@Example.com`
    assert.equal((await test.manage('PATCH', `/v1/users/${id}`, { email })).statusCode, 200)
    return { id, name, email }
  }

  async function ask(browser: TestBrowser, path: string, email: string): Promise<LightMyRequestResponse> {
    const answer = await browser.submit(path, { email })
    await test.identity.afterwards.settled()
    return answer
  }

  /** The path of the link in the last e-mail. */
  const linkIn = (text = test.mails.at(-1)?.text ?? ''): string =>
    new RegExp(`${ISSUER}(/link/\\S+)`).exec(text)?.[1] ?? ''

  async function asked(path: string, email: string) {
    const browser = new TestBrowser(test.server)
    assert.equal((await ask(browser, path, email)).statusCode, 200)
    return { browser, link: linkIn() }
  }

  it('sign in, once, whoever has asked for it in this browser, and verify the address', async () => {
    const { id, name, email } = await person()
    const { browser, link } = await asked('/sign-in/link', email.toUpperCase().replace('EXAMPLE', 'example'))
    const wrongCase = test.mails.length
    assert.equal(wrongCase > 0, true)
    assert.equal(test.mails.at(-1)?.to, email, 'the address of the account, not as it was typed')
    const page = await browser.get(link)
    assert.match(page.body, /Sign in\?/)
    assert.equal(browser.cookies.has(SESSION), false, 'a look signs nobody in')
    const answer = await browser.post(link, { form_token: tokenIn(page.body) })
    assert.deepEqual([answer.statusCode, answer.headers['location']], [303, '/sign-in'])
    assert.equal(await browser.signedInAs(), `${name} the tester`)
    const [session] = (await test.manage('GET', `/v1/users/${id}/sessions`)).json().data
    assert.deepEqual([session.acr, session.amr], ['urn:postern:acr:1fa', ['email']])
    assert.equal((await test.manage('GET', `/v1/users/${id}`)).json().email_verified, true)
    assert.equal((await browser.post(link, { form_token: tokenIn(page.body) })).statusCode, 404)
    assert.equal((await browser.get(link)).statusCode, 404)
  })

  it('are not kept readable, nor what they hold', async () => {
    const { email } = await person()
    const { link } = await asked('/reset-password', email)
    assert.ok(!(await test.dump()).includes(link.split('/').at(-1) ?? 'no link'))
  })

  it('begin with the configured issuer, whatever host the request names', async () => {
    const { email } = await person()
    const browser = new TestBrowser(test.server, {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example',
    })
    await ask(browser, '/reset-password', email)
    assert.match(test.mails.at(-1)?.text ?? '', /https:\/\/id\.example\.com\/link\/reset\//)
    assert.ok(!(test.mails.at(-1)?.text ?? '').includes('evil'))
  })

  it('are worth nothing in another browser, as another kind, with another secret, and after fifteen minutes', async () => {
    const { email } = await person()
    const { browser, link } = await asked('/sign-in/link', email)
    const thief = new TestBrowser(test.server)
    await thief.get('/sign-in')
    assert.equal((await thief.get(link)).statusCode, 404)
    const token = test.identity.forms.token({ binding: thief.cookies.get('__Host-postern-form') ?? '' }, link)
    assert.equal((await thief.post(link, { form_token: token })).statusCode, 404)
    assert.equal((await browser.get(link.replace('sign_in_link', 'reset'))).statusCode, 404)
    assert.equal((await browser.get(link.replace('sign_in_link', 'second_factor'))).statusCode, 404)
    assert.equal((await browser.get(`${link.slice(0, -1)}_`)).statusCode, 404)
    assert.equal((await browser.get(link)).statusCode, 200)
    test.clock.pass(15 * 60_000)
    assert.equal((await browser.get(link)).statusCode, 404)
  })

  for (const path of ['/sign-in/link', '/reset-password', '/sign-up'])
    it(`answer everybody alike at ${path}, with nothing but that done before the answer`, async () => {
      const { email, id } = await person()
      const disabled = await person()
      await test.manage('POST', `/v1/users/${disabled.id}/disable`)
      const writes: number[] = []
      const bodies = new Set<string>()
      const { storage } = test
      const { write } = storage
      for (const typed of [email, 'nobody@example.com', disabled.email]) {
        let count = 0
        storage.write = ((run: never) => (count++, write.call(storage, run))) as never
        const page = new TestBrowser(test.server)
        const form = await page.get(path)
        const run = test.identity.afterwards.run.bind(test.identity.afterwards)
        let job: (() => Promise<unknown>) | undefined
        test.identity.afterwards.run = (later) => void (job = later)
        const answer = await page.post(path, { form_token: tokenIn(form.body), email: typed })
        writes.push(count)
        test.identity.afterwards.run = run
        storage.write = write.bind(storage) as never
        await job?.()
        bodies.add(`${answer.statusCode} ${answer.body}`)
      }
      assert.equal(bodies.size, 1)
      assert.deepEqual(writes, [0, 0, 0])
      assert.ok(id)
    })

  it('write to nobody who has no account, and to the owner of one that somebody signs up with', async () => {
    const { email } = await person()
    const before = test.mails.length
    await asked('/sign-in/link', 'nobody@example.com')
    await asked('/reset-password', 'nobody@example.com')
    assert.equal(test.mails.length, before)
    await asked('/sign-up', email)
    assert.match(test.mails.at(-1)?.subject ?? '', /You have an account/)
    assert.equal(linkIn(), '')
  })

  it('set a new password: all sessions end, nobody is signed in, and a bad one leaves the link good', async () => {
    const { name, email, id } = await person()
    const signedIn = new TestBrowser(test.server)
    await signedIn.signIn(name)
    const { browser, link } = await asked('/reset-password', email)
    const token = tokenIn((await browser.get(link)).body)
    const short = await browser.post(link, { form_token: token, new_password: 'too short' })
    assert.equal(short.statusCode, 400)
    assert.match(short.body, /at least 15 characters/)
    const done = await browser.post(link, { form_token: token, new_password: NEW })
    assert.match(done.body, /The password is set/)
    assert.equal(browser.cookies.has(SESSION), false)
    assert.equal(await signedIn.signedInAs(), undefined)
    assert.equal((await test.feed()).at(-1), `subject ${id} revoked`)
    assert.equal((await new TestBrowser(test.server).signIn(name)).statusCode, 403)
    assert.equal((await new TestBrowser(test.server).signIn(name, NEW)).statusCode, 303)
    assert.equal((await browser.post(link, { form_token: token, new_password: NEW })).statusCode, 404)
  })

  it('end when the password is set another way, when the address changes, and when the user is disabled', async () => {
    const { id, email } = await person()
    const one = await asked('/reset-password', email)
    await setPassword(test.identity, OPERATOR, id, 'set by an operator')
    assert.equal((await one.browser.get(one.link)).statusCode, 404)
    const two = await asked('/sign-in/link', email)
    const token = tokenIn((await two.browser.get(two.link)).body)
    await test.manage('PATCH', `/v1/users/${id}`, { email: `new-${email}` })
    assert.equal((await two.browser.post(two.link, { form_token: token })).statusCode, 404)
    const three = await asked('/sign-in/link', `new-${email}`)
    const other = tokenIn((await three.browser.get(three.link)).body)
    await test.manage('POST', `/v1/users/${id}/disable`)
    assert.equal((await three.browser.post(three.link, { form_token: other })).statusCode, 404)
    assert.equal(three.browser.cookies.has(SESSION), false)
  })

  it('are one factor: whoever has a second one is asked for it', async () => {
    const { name, email } = await person()
    const browser = new TestBrowser(test.server)
    await browser.signIn(name)
    const page = (await browser.get('/account/second-factor')).body
    const secret = (/Key: <code>([^<]+)/.exec(page)?.[1] ?? '').replaceAll(' ', '')
    const code = () =>
      generateSync({ strategy: 'totp', secret, epoch: Math.floor(test.clock.nowMs() / 1000) })
    await browser.post('/account/second-factor', {
      form_token: tokenIn(page),
      do: 'enable',
      secret: /name="secret" value="([^"]+)"/.exec(page)?.[1] ?? '',
      code: code(),
    })
    test.clock.pass(30_000)
    const { browser: other, link } = await asked('/sign-in/link', email)
    const half = await other.submit(link, {})
    assert.match(half.body, /Type the code/)
    assert.equal(other.cookies.has(SESSION), false)
    const ticket = /name="ticket" value="([^"]+)"/.exec(half.body)?.[1] ?? ''
    await other.post('/sign-in', { form_token: tokenIn(half.body), ticket, code: code() })
    assert.equal(await other.signedInAs(), `${name} the tester`)
  })

  it('make an account with a verified address and a password, or with a passkey to follow', async () => {
    const email = `new${count++}@example.com`
    const { browser, link } = await asked('/sign-up', email)
    const page = (await browser.get(link)).body
    assert.match(page, /Create your account/)
    const bad = await browser.post(link, {
      form_token: tokenIn(page),
      name: 'New',
      new_password: 'short',
      with: 'password',
    })
    assert.equal(bad.statusCode, 400)
    const fields = {
      form_token: tokenIn(page),
      name: 'New\u0007 Person',
      new_password: NEW,
      with: 'password',
    }
    assert.equal((await browser.post(link, fields)).statusCode, 303)
    assert.equal(await browser.signedInAs(), 'New  Person')
    const { data } = (await test.manage('GET', `/v1/users?identifier=${email}`)).json()
    assert.deepEqual([data[0].email_verified, data[0].has_password], [true, true])
    assert.equal((await new TestBrowser(test.server).signIn(email, NEW)).statusCode, 303)

    const other = await asked('/sign-up', `new${count++}@example.com`)
    const answer = await other.browser.submit(other.link, { with: 'passkey' })
    assert.equal(answer.headers['location'], '/account/passkeys')
    assert.match((await other.browser.get('/account/passkeys')).body, /Add a passkey/)
  })

  it('verify the address of whoever is signed in', async () => {
    const { id, name } = await person()
    const browser = new TestBrowser(test.server)
    await browser.signIn(name)
    await browser.submit('/account', { do: 'verify' })
    const answer = await browser.submit(linkIn(), {})
    assert.equal(answer.headers['location'], '/account')
    assert.equal((await test.manage('GET', `/v1/users/${id}`)).json().email_verified, true)
    await test.manage('PATCH', `/v1/users/${id}`, { email: `other${count++}@example.com` })
    assert.equal((await test.manage('GET', `/v1/users/${id}`)).json().email_verified, false)
  })

  it('lead on to where the sign-in waits, and to no address that is not ours', async () => {
    const { email } = await person()
    for (const [place, leadsTo] of [
      ['/account/sessions', '/account/sessions'],
      ['//evil.example', '/sign-in'],
      ['https://evil.example', '/sign-in'],
      ['/account/sessions?x=//evil', '/sign-in'],
    ] as const) {
      const browser = new TestBrowser(test.server)
      const waiting = (await browser.get('/account/sessions')).body
      const mark = /place_mark=([\w-]+)/.exec(waiting)?.[1] ?? ''
      const query = new URLSearchParams({ place, place_mark: mark })
      const page = (await browser.get(`/sign-in/link?${query}`)).body
      const hidden = (name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? ''
      const fields = {
        form_token: tokenIn(page),
        email,
        place: hidden('place'),
        place_mark: hidden('place_mark'),
      }
      await browser.post('/sign-in/link', fields)
      await test.identity.afterwards.settled()
      assert.equal((await browser.submit(linkIn(), {})).headers['location'], leadsTo)
    }
  })

  async function race(kind: string, fields: Record<string, string>): Promise<number> {
    const { email } = await person()
    const path = kind === 'sign_up' ? '/sign-up' : '/sign-in/link'
    const { browser, link } = await asked(path, kind === 'sign_up' ? `new${count++}@example.com` : email)
    const form = { form_token: tokenIn((await browser.get(link)).body), ...fields }
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => browser.post(link, form)))
    return answers.filter(({ statusCode }) => statusCode === 303).length
  }

  for (const [kind, fields] of [
    ['sign_in_link', {}],
    ['sign_up', { with: 'passkey' }],
  ] as const)
    it(`are followed once, however many do it at once (${kind})`, async () => {
      for (let round = 0; round < 4; round++) assert.equal(await race(kind, fields), 1)
    })
})

it('there are none, and nobody is offered any, where no e-mail can be sent; strangers sign up only where that is on', async () => {
  const { freshSqlite } = await import('../../../test/databases.ts')
  const database = freshSqlite()
  const test = await openTestIdentity(database)
  const browser = new TestBrowser(test.server)
  assert.equal((await browser.get('/sign-up')).statusCode, 404)
  const page = (await browser.get('/sign-in')).body
  assert.ok(page.includes('Sign in by e-mail') && !page.includes('Create an account'))
  await test.close()
  await database.drop()
})
