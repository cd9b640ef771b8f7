import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { onBothDatabases } from '../../../test/databases.ts'
import { type Lies, TestAuthenticator } from '../test-authenticator.ts'
import {
  ISSUER,
  openTestIdentity,
  PASSWORD,
  TestBrowser,
  type TestIdentity,
  tokenIn,
} from '../test-identity.ts'

const PATH = '/account/passkeys'
const SESSION = '__Host-postern'

onBothDatabases('passkeys', (fresh) => {
  let test: TestIdentity
  let count = 0
  before(async () => {
    test = await openTestIdentity(await fresh(), {
      throttles: { account: { take: () => 0 }, network: { take: () => 0 } },
    })
  })
  after(() => test.close())

  /** Somebody new who is signed in with a password. */
  async function person(): Promise<{ id: string; name: string; browser: TestBrowser }> {
    const name = `person${count++}`
    const { id } = await test.user(name, PASSWORD)
    const browser = new TestBrowser(test.server)
    assert.equal((await browser.signIn(name)).statusCode, 303)
    return { id, name, browser }
  }

  async function register(
    browser: TestBrowser,
    authenticator = new TestAuthenticator(ISSUER),
    lies: Lies = {},
    name = 'My phone',
  ): Promise<{ authenticator: TestAuthenticator; answer: LightMyRequestResponse }> {
    const page = (await browser.get(PATH)).body
    const passkey = authenticator.create(optionsIn(page), lies)
    const answer = await browser.post(PATH, { form_token: tokenIn(page), passkey, name })
    return { authenticator, answer }
  }

  async function owner(): Promise<{ id: string; browser: TestBrowser; authenticator: TestAuthenticator }> {
    const { id, browser } = await person()
    const { authenticator, answer } = await register(browser)
    assert.equal(answer.statusCode, 303, answer.body)
    return { id, browser, authenticator }
  }

  async function signIn(
    browser: TestBrowser,
    authenticator: TestAuthenticator,
    lies: Lies = {},
  ): Promise<LightMyRequestResponse> {
    const page = (await browser.get('/sign-in')).body
    const passkey = authenticator.get(optionsIn(page).challenge, lies)
    return browser.post('/sign-in', { form_token: tokenIn(page), passkey })
  }

  it('are registered with a name, and sign in without a password, truthfully as a phishing-resistant one', async () => {
    const { id, browser, authenticator } = await owner()
    assert.match((await browser.get(PATH)).body, /My phone[\s\S]*never used/)
    const other = new TestBrowser(test.server)
    assert.equal((await signIn(other, authenticator)).statusCode, 303)
    assert.notEqual(await other.signedInAs(), undefined)
    const { data } = (await test.manage('GET', `/v1/users/${id}/sessions`)).json()
    assert.deepEqual(
      data.map(({ acr, amr }: { acr: string; amr: string[] }) => `${acr}: ${amr.join(' ')}`).sort(),
      ['phr: hwk user mfa', 'urn:postern:acr:pwd: pwd'],
    )
    const [passkey] = (await test.manage('GET', `/v1/users/${id}/passkeys`)).json().data
    assert.deepEqual(
      [passkey.name, passkey.synced, typeof passkey.last_used_at],
      ['My phone', false, 'string'],
    )
    assert.equal(test.noted.at(-1)?.code, 'signed_in')
  })

  it('are several of one user, each once, and at most twenty', async () => {
    const { id, browser, authenticator } = await owner()
    assert.equal((await register(browser, authenticator)).answer.statusCode, 409)
    for (let number = 2; number <= 20; number++)
      assert.equal((await register(browser, undefined, {}, `key ${number}`)).answer.statusCode, 303)
    assert.equal((await register(browser)).answer.statusCode, 409)
    assert.equal((await test.manage('GET', `/v1/users/${id}/passkeys`)).json().data.length, 20)
    const { browser: stranger } = await person()
    assert.equal((await register(stranger, authenticator)).answer.statusCode, 409)
  })

  it('are renamed and removed by their owner alone; what is removed signs in no more, and other sessions end', async () => {
    const { id, browser, authenticator } = await owner()
    const elsewhere = new TestBrowser(test.server)
    await signIn(elsewhere, authenticator)
    const { browser: stranger } = await person()
    const [passkey] = (await test.manage('GET', `/v1/users/${id}/passkeys`)).json().data
    assert.equal((await stranger.submit(PATH, { remove: passkey.id })).statusCode, 404)
    assert.equal((await stranger.submit(PATH, { rename: passkey.id, name: 'mine' })).statusCode, 404)
    assert.equal((await browser.submit(PATH, { rename: passkey.id, name: '<b>Key\u0007' })).statusCode, 303)
    assert.match((await browser.get(PATH)).body, /&#60;b&#62;Key/)
    assert.equal((await browser.submit(PATH, { remove: passkey.id })).statusCode, 303)
    assert.equal(await elsewhere.signedInAs(), undefined)
    assert.notEqual(await browser.signedInAs(), undefined)
    assert.match((await test.feed()).at(-1) ?? '', /^session ses_\w+ revoked$/)
    assert.equal((await signIn(new TestBrowser(test.server), authenticator)).statusCode, 403)
  })

  it('an operator of the deployment lists and removes them, and all sessions end', async () => {
    const { id, browser } = await owner()
    const [passkey] = (await test.manage('GET', `/v1/users/${id}/passkeys`)).json().data
    const path = `/v1/users/${id}/passkeys/${passkey.id}`
    assert.equal((await test.manage('DELETE', path, undefined, 'tenant')).statusCode, 403)
    assert.equal((await test.manage('DELETE', path)).statusCode, 204)
    assert.equal((await test.manage('DELETE', path)).statusCode, 404)
    assert.equal(await browser.signedInAs(), undefined)
  })

  for (const [what, lies] of [
    ['another origin', { origin: 'https://evil.example' }],
    ['a subdomain', { origin: 'https://sub.id.example.com' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['no check of the person', { userVerified: false }],
    ['a challenge that the client chose', { challenge: Buffer.alloc(54, 7).toString('base64url') }],
    ['another ceremony', { type: 'webauthn.create' }],
    ['a frame of another site', { crossOrigin: true }],
    [
      'another user’s handle',
      { userHandle: Buffer.from('usr_0000000000000000000000').toString('base64url') },
    ],
    ['a signature of nobody', { signature: Buffer.alloc(70, 1) }],
  ] as const)
    it(`do not sign in with ${what}`, async () => {
      const { authenticator } = await owner()
      const browser = new TestBrowser(test.server)
      const answer = await signIn(browser, authenticator, lies)
      assert.equal(answer.statusCode, 403)
      assert.match(answer.body, /That passkey did not work/)
      assert.equal(browser.cookies.has(SESSION), false)
      assert.equal(test.noted.at(-1)?.code, 'wrong_passkey')
      assert.equal((await signIn(browser, authenticator)).statusCode, 303, 'and do so without')
    })

  for (const [what, lies] of [
    ['another origin', { origin: 'https://evil.example' }],
    ['another relying party', { rpId: 'evil.example' }],
    ['no check of the person', { userVerified: false }],
    ['a challenge that the client chose', { challenge: 'AAAA' }],
    ['another ceremony', { type: 'webauthn.get' }],
  ] as const)
    it(`are not registered with ${what}`, async () => {
      const { id, browser } = await person()
      const { answer } = await register(browser, undefined, lies)
      assert.equal(answer.statusCode, 403)
      assert.deepEqual((await test.manage('GET', `/v1/users/${id}/passkeys`)).json().data, [])
    })

  for (const nonsense of [
    'x',
    '{}',
    '[]',
    '{"id":"a","rawId":"a","type":"public-key","response":null}',
    'null',
  ])
    it(`do not sign in with ${nonsense}`, async () => {
      const answer = await new TestBrowser(test.server).submit('/sign-in', { passkey: nonsense })
      assert.equal(answer.statusCode, 403)
    })

  it('answer a challenge of this browser, for this purpose, within an hour', async () => {
    const { browser, authenticator } = await owner()
    const [one, other] = [new TestBrowser(test.server), new TestBrowser(test.server)]
    const page = (await one.get('/sign-in')).body
    const foreign = optionsIn((await other.get('/sign-in')).body).challenge
    const post = (challenge: string) =>
      one.post('/sign-in', { form_token: tokenIn(page), passkey: authenticator.get(challenge) })
    assert.equal((await post(foreign)).statusCode, 403)
    const registering = optionsIn((await browser.get(PATH)).body).challenge
    const own = await browser.post('/sign-in', {
      form_token: test.identity.forms.token(
        { binding: browser.cookies.get('__Host-postern-form') ?? '' },
        '/sign-in',
      ),
      passkey: authenticator.get(registering),
    })
    assert.equal(own.statusCode, 403)
    test.clock.pass(3_600_000)
    assert.equal((await post(optionsIn(page).challenge)).statusCode, 403)
  })

  it('of two with the same key the one whose counter is behind is refused', async () => {
    const { browser } = await person()
    const counting = new TestAuthenticator(ISSUER)
    counting.counter = 5
    assert.equal((await register(browser, counting)).answer.statusCode, 303)
    assert.equal((await signIn(new TestBrowser(test.server), counting)).statusCode, 303)
    assert.equal((await signIn(new TestBrowser(test.server), counting, { counter: 3 })).statusCode, 403)
    assert.equal((await signIn(new TestBrowser(test.server), counting, { counter: 0 })).statusCode, 403)
    assert.equal((await signIn(new TestBrowser(test.server), counting)).statusCode, 303)
  })

  it('do not sign in a disabled user, and go with a deleted one', async () => {
    const { id, authenticator } = await owner()
    await test.manage('POST', `/v1/users/${id}/disable`)
    assert.equal((await signIn(new TestBrowser(test.server), authenticator)).statusCode, 403)
    await test.manage('POST', `/v1/users/${id}/enable`)
    assert.equal((await signIn(new TestBrowser(test.server), authenticator)).statusCode, 303)
    await test.manage('DELETE', `/v1/users/${id}`)
    assert.equal((await signIn(new TestBrowser(test.server), authenticator)).statusCode, 403)
    assert.ok(!(await test.dump()).includes(authenticator.id.toString('base64url')))
  })

  /** The same answer of an authenticator, sent five times at once. */
  async function race(): Promise<number> {
    const { authenticator } = await owner()
    const browser = new TestBrowser(test.server)
    const page = (await browser.get('/sign-in')).body
    const fields = { form_token: tokenIn(page), passkey: authenticator.get(optionsIn(page).challenge) }
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => browser.post('/sign-in', fields)))
    return answers.filter(({ statusCode }) => statusCode === 303).length
  }

  it('answer a challenge once, however many send the answer at once', async () => {
    for (let round = 0; round < 5; round++) assert.equal(await race(), 1)
  })

  it('would answer it more often if nothing kept which challenges were used', async () => {
    const { challenges } = test.identity
    challenges.spend = async () => true
    try {
      assert.ok((await race()) > 1)
    } finally {
      // The method of the class is there again.
      Reflect.deleteProperty(challenges, 'spend')
    }
  })

  it('are changed only with a sign-in of the last ten minutes', async () => {
    const { browser, name } = await person()
    test.clock.pass(10 * 60_000 + 1)
    const page = await browser.get(PATH)
    assert.match(page.body, /Sign in again/)
    const answer = await browser.post(PATH, {
      form_token: tokenIn(page.body),
      identifier: name,
      password: PASSWORD,
    })
    assert.equal(answer.headers['location'], PATH)
    assert.match((await browser.get(PATH)).body, /Add a passkey/)
  })
})

it('there are none where the issuer is an address', async () => {
  const { freshSqlite } = await import('../../../test/databases.ts')
  const database = freshSqlite()
  const test = await openTestIdentity(database, { issuer: 'http://127.0.0.1:4800' })
  const page = await new TestBrowser(test.server).get('/sign-in')
  assert.ok(!page.body.includes('<script') && !page.body.includes('data-passkey'))
  assert.ok(!String(page.headers['content-security-policy']).includes('script-src'))
  await test.close()
  await database.drop()
})

function optionsIn(page: string): { challenge: string; user: { id: string } } {
  const found = /data-passkey="([^"]+)"/.exec(page)?.[1] ?? '{}'
  return JSON.parse(found.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))))
}
