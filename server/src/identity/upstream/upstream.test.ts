import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, it } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { freshSqlite, onBothDatabases } from '../../../test/databases.ts'
import { Browser as UpstreamBrowser } from '../../../test/browser.ts'
import { type Json, openOAuthServer } from '../../../test/oauth-server.ts'
import { openTestIdentity, PASSWORD, TestBrowser, type TestIdentity, tokenIn } from '../test-identity.ts'

const ISSUER = 'http://localhost:4999'
const CALLBACK = `${ISSUER}/sign-in/upstream/callback`
const CONNECTIONS = '/account/connections'
const SESSION = 'postern-4999'
const OPEN = { throttles: { account: { take: () => 0 }, network: { take: () => 0 } }, issuer: ISSUER }

/** An OpenID provider, and a GitHub, that say whatever a test wants. */
class Liar {
  claims: Json = {}
  github: Json = {}
  #nonce = ''
  readonly #keys = generateKeyPair('RS256')
  readonly #server: Server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    void this.#answer(request.url ?? '').then((body) => response.end(JSON.stringify(body)))
  })
  url = ''

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, 'localhost', resolve))
    this.url = `http://localhost:${(this.#server.address() as AddressInfo).port}`
  }

  /** Where the browser comes back to, from where it was sent. */
  back(sentTo: URL, more: Record<string, string> = {}): string {
    this.#nonce = sentTo.searchParams.get('nonce') ?? ''
    const state = sentTo.searchParams.get('state') ?? ''
    return `/sign-in/upstream/callback?${new URLSearchParams({ code: 'c', state, iss: this.url, ...more })}`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  async #answer(path: string): Promise<unknown> {
    const { url: issuer } = this
    if (path.startsWith('/.well-known'))
      return {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        authorization_response_iss_parameter_supported: true,
        code_challenge_methods_supported: ['S256'],
      }
    if (path === '/jwks')
      return { keys: [{ ...(await exportJWK((await this.#keys).publicKey)), kid: 'k', alg: 'RS256' }] }
    if (path === '/token') return { access_token: 'a', token_type: 'bearer', id_token: await this.#idToken() }
    if (path === '/login/oauth/access_token') return { access_token: 'a', token_type: 'bearer', scope: '' }
    return this.github[path]
  }

  async #idToken(): Promise<string> {
    const nowSeconds = Math.floor(Date.now() / 1000)
    const claims = {
      iss: this.url,
      aud: 'us',
      sub: 'them',
      iat: nowSeconds,
      exp: nowSeconds + 60,
      nonce: this.#nonce,
      ...this.claims,
    }
    return new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .sign((await this.#keys).privateKey)
  }
}

onBothDatabases('a sign-in elsewhere', (fresh) => {
  let test: TestIdentity
  let count = 0
  const liar = new Liar()
  before(async () => {
    test = await openTestIdentity(await fresh(), { ...OPEN, signUp: { open: true } })
    await liar.open()
    const made = await provider({ name: 'Liar', issuer: liar.url })
    assert.equal(made.redirect_uri, CALLBACK)
  })
  after(async () => {
    liar.close()
    await test.close()
  })

  async function provider(more: object): Promise<Json> {
    const body = { client_id: 'us', client_secret: 'a secret of theirs', ...more }
    const answer = await test.manage('POST', '/v1/sign-in-providers', body)
    assert.equal(answer.statusCode, 201, answer.body)
    return answer.json()
  }
  const newBrowser = (): TestBrowser => new TestBrowser(test.server, {}, ISSUER)
  const newcomer = (more: object = {}) => {
    const sub = `sub-${count++}`
    return { sub, email: `${sub}@example.com`, email_verified: true, name: 'New Comer', ...more }
  }

  /** The address to which a page's link leads the browser. */
  async function sentTo(browser: TestBrowser, page = '/sign-in', name = 'Liar'): Promise<URL> {
    const { body } = await browser.get(page)
    const href = new RegExp(`href="([^"]+)">(?:Continue with|Connect) ${name}`).exec(body)?.[1] ?? ''
    const answer = await browser.get(href.replaceAll('&#38;', '&'))
    assert.equal(answer.statusCode, 303, answer.body)
    return new URL(String(answer.headers['location']))
  }

  async function signIn(claims: Json, browser = newBrowser(), more = {}) {
    liar.claims = claims
    return { browser, answer: await browser.get(liar.back(await sentTo(browser), more)) }
  }

  it('makes an account for a verified address, and signs in to it the next time, as one factor', async () => {
    const claims = newcomer()
    const { browser, answer } = await signIn(claims)
    assert.deepEqual([answer.statusCode, answer.headers['location']], [303, '/sign-in'])
    assert.equal(await browser.signedInAs(), 'New Comer')
    const again = await signIn({ ...claims, email: 'renamed@example.com' })
    assert.equal(await again.browser.signedInAs(), 'New Comer')
    const [user] = (await test.manage('GET', `/v1/users?identifier=${claims.email}`)).json().data
    assert.equal(user.email_verified, true)
    const { data } = (await test.manage('GET', `/v1/users/${user.id}/sessions`)).json()
    assert.deepEqual([data.length, data[0].acr, data[0].amr], [2, 'urn:postern:acr:1fa', ['fed']])
  })

  it('goes out with state, nonce and PKCE of its own each time, and the configured redirect URI', async () => {
    const [one, two] = [await sentTo(newBrowser()), await sentTo(newBrowser())]
    for (const name of ['state', 'nonce', 'code_challenge'])
      assert.notEqual(one.searchParams.get(name), two.searchParams.get(name), name)
    assert.equal(one.searchParams.get('code_challenge_method'), 'S256')
    assert.equal(one.searchParams.get('redirect_uri'), CALLBACK)
    assert.ok(!(await test.dump()).includes(one.searchParams.get('state') ?? 'none'))
    assert.ok(!(await test.dump()).includes('a secret of theirs'))
  })

  for (const [what, lie, more] of [
    ['another issuer in the ID token', { iss: 'https://evil.example' }, {}],
    ['another issuer in the answer', {}, { iss: 'https://evil.example' }],
    ['another client’s ID token', { aud: 'them' }, {}],
    ['another nonce', { nonce: 'stolen' }, {}],
    ['an ID token that is over', { exp: 1 }, {}],
    ['an error', {}, { error: 'access_denied' }],
  ] as const)
    it(`signs nobody in with ${what}`, async () => {
      const { browser, answer } = await signIn(newcomer(lie), newBrowser(), more)
      assert.equal(answer.statusCode, 403, answer.body)
      assert.equal(browser.cookies.has(SESSION), false)
      assert.equal(test.noted.at(-1)?.code, 'upstream_failed')
    })

  for (const [what, claim] of [
    ['says is not verified', false],
    ['says nothing about', undefined],
    ['calls "true"', 'true'],
  ] as const)
    it(`makes no account for an address that the provider ${what}`, async () => {
      const { answer } = await signIn(newcomer({ email_verified: claim }))
      assert.match(answer.body, /not verified there/)
    })

  it('gets into no account by its address: its owner signs in first, and connects it with leave', async () => {
    const name = `person${count++}`
    const { id } = await test.user(name, PASSWORD)
    const claims = newcomer()
    await test.manage('PATCH', `/v1/users/${id}`, { email: claims.email, email_verified: true })
    const { browser: stranger, answer } = await signIn(claims)
    assert.match(answer.body, /You have an account already/)
    assert.equal(stranger.cookies.has(SESSION), false)

    const browser = newBrowser()
    await browser.signIn(name)
    liar.claims = claims
    const question = await browser.get(liar.back(await sentTo(browser, CONNECTIONS)))
    assert.match(question.body, /Connect Liar\?/)
    const connect = /name="connect" value="([^"]+)"/.exec(question.body)?.[1] ?? ''
    assert.equal((await signIn(claims)).answer.statusCode, 403, 'until then nothing is connected')
    const fields = { form_token: tokenIn(question.body), connect }
    const thief = newBrowser()
    const thiefName = `person${count++}`
    await test.user(thiefName, PASSWORD)
    await thief.signIn(thiefName)
    assert.equal((await thief.submit(CONNECTIONS, { connect })).statusCode, 403)
    assert.equal((await browser.post(CONNECTIONS, fields)).statusCode, 303)
    assert.equal((await browser.post(CONNECTIONS, fields)).statusCode, 403, 'once')
    assert.equal(await (await signIn(claims)).browser.signedInAs(), `${name} the tester`)

    const elsewhere = (await signIn(claims)).browser
    const [{ id: providerId }] = (await test.manage('GET', '/v1/sign-in-providers')).json().data
    assert.equal((await browser.submit(CONNECTIONS, { disconnect: providerId })).statusCode, 303)
    assert.equal(await elsewhere.signedInAs(), undefined)
    assert.match((await signIn(claims)).answer.body, /You have an account already/)
  })

  it('comes back to the browser that left, within ten minutes, once, and is begun by our own pages alone', async () => {
    liar.claims = newcomer()
    const browser = newBrowser()
    const back = liar.back(await sentTo(browser))
    const thief = newBrowser()
    await thief.get('/sign-in')
    assert.equal((await thief.get(back)).statusCode, 403)
    assert.equal((await browser.get(back)).statusCode, 303)
    assert.equal((await browser.get(back)).statusCode, 403)
    const late = liar.back(await sentTo(newBrowser()))
    test.clock.pass(10 * 60_000)
    assert.equal((await browser.get(late)).statusCode, 403)
    const [{ id }] = (await test.manage('GET', '/v1/sign-in-providers')).json().data
    for (const query of ['', '?place=/sign-in', '?place=//evil.example&place_mark=x']) {
      const answer = await browser.get(`/sign-in/upstream/${id}${query}`)
      assert.deepEqual([answer.statusCode, answer.headers['location']], [303, '/sign-in'])
    }
  })

  it('comes back once, however many times at once', async () => {
    for (let round = 0; round < 3; round++) {
      liar.claims = newcomer()
      const browser = newBrowser()
      const back = liar.back(await sentTo(browser))
      const answers = await Promise.all([1, 2, 3, 4, 5].map(() => browser.get(back)))
      assert.equal(answers.filter(({ statusCode }) => statusCode === 303).length, 1)
    }
  })

  it('does not sign in a disabled user, nor at a provider that is disabled or gone', async () => {
    const claims = newcomer()
    await signIn(claims)
    const [user] = (await test.manage('GET', `/v1/users?identifier=${claims.email}`)).json().data
    await test.manage('POST', `/v1/users/${user.id}/disable`)
    assert.equal((await signIn(claims)).answer.statusCode, 403)
    const other = await provider({ name: 'Other', issuer: liar.url })
    liar.claims = newcomer()
    const browser = newBrowser()
    const back = liar.back(await sentTo(browser, '/sign-in', 'Other'))
    await test.manage('PATCH', `/v1/sign-in-providers/${other.id}`, { disabled: true })
    assert.equal((await browser.get(back)).statusCode, 403)
    assert.ok(!(await newBrowser().get('/sign-in')).body.includes('Continue with Other'))
    assert.equal((await test.manage('DELETE', `/v1/sign-in-providers/${other.id}`)).statusCode, 204)
    assert.equal((await test.manage('DELETE', `/v1/sign-in-providers/${other.id}`)).statusCode, 404)
  })

  it('takes GitHub’s own word for who somebody is, and its primary address if that is verified', async () => {
    const made = await provider({ name: 'Hub', kind: 'github', issuer: liar.url })
    const email = `hub${count++}@example.com`
    const come = async (verified: boolean) => {
      liar.github = {
        '/api/v3/user': { id: 4711, name: 'Octo Cat' },
        '/api/v3/user/emails': [
          { email: 'other@example.com', primary: false, verified: true },
          { email, primary: true, verified },
        ],
      }
      const browser = newBrowser()
      const sent = await sentTo(browser, '/sign-in', 'Hub')
      assert.equal(sent.pathname, '/login/oauth/authorize')
      const back = liar.back(sent).replace(/&iss=[^&]*/, '')
      return { browser, answer: await browser.get(back) }
    }
    assert.match((await come(false)).answer.body, /not verified there/)
    const { browser, answer } = await come(true)
    assert.equal(answer.statusCode, 303, answer.body)
    assert.equal(await browser.signedInAs(), 'Octo Cat')
    await test.manage('DELETE', `/v1/sign-in-providers/${made.id}`)
  })

  for (const issuer of [
    'http://evil.example',
    'https://a:b@c.example',
    'https://a.example/?x',
    ISSUER,
    'nonsense',
  ])
    it(`refuses ${issuer} as a provider`, async () => {
      const body = { name: 'Bad', issuer, client_id: 'us', client_secret: 'x' }
      assert.equal((await test.manage('POST', '/v1/sign-in-providers', body)).statusCode, 400)
    })

  it('takes a tenant’s operator for nobody', async () => {
    const body = { name: 'Bad', issuer: 'https://a.example', client_id: 'us', client_secret: 'x' }
    assert.equal((await test.manage('POST', '/v1/sign-in-providers', body, 'tenant')).statusCode, 403)
    assert.equal((await test.manage('GET', '/v1/sign-in-providers', undefined, 'tenant')).statusCode, 403)
  })
})

it('signs in at a second Postern', async () => {
  const [here, there] = [freshSqlite(), freshSqlite()]
  const upstream = await openOAuthServer(there)
  const test = await openTestIdentity(here, { ...OPEN, signUp: { open: true } })
  try {
    const { data: tenants } = await upstream.manage('GET', '/v1/tenants')
    const user = await upstream.manage('POST', '/v1/users', {
      username: 'ada',
      email: 'ada@example.com',
      email_verified: true,
      name: 'Ada Lovelace',
    })
    await upstream.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await upstream.manage('PUT', `/v1/users/${user.id}/tenants/${tenants[0].id}`, { roles: [] })
    const client = await upstream.manage('POST', '/v1/clients', {
      name: 'The other one',
      kind: 'web',
      redirect_uris: [CALLBACK],
      tenant: tenants[0].id,
    })
    const made = await test.manage('POST', '/v1/sign-in-providers', {
      name: 'Upstream',
      issuer: upstream.issuer,
      client_id: client.client_id ?? client.id,
      client_secret: client.client_secret,
    })
    assert.equal(made.statusCode, 201, made.body)

    const browser = new TestBrowser(test.server, {}, ISSUER)
    const { body } = await browser.get('/sign-in')
    const href = /href="([^"]+)">Continue with Upstream/.exec(body)?.[1] ?? ''
    const sent = await browser.get(href.replaceAll('&#38;', '&'))
    const other = new UpstreamBrowser(upstream)
    const signInPage = await other.visit(String(sent.headers['location']))
    let page = await other.submit(signInPage, { identifier: 'ada', password: PASSWORD })
    if (page.status !== 0) page = await other.submit(page, { decision: 'allow' })
    const back = new URL(page.url)
    assert.equal(back.origin, ISSUER)
    const answer = await browser.get(back.pathname + back.search)
    assert.equal(answer.statusCode, 303, answer.body)
    assert.equal(await browser.signedInAs(), 'Ada Lovelace')
  } finally {
    await test.close()
    await upstream.close()
    await Promise.all([here.drop(), there.drop()])
  }
})
