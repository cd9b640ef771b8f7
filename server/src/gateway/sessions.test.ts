/** Host sessions: how they begin, what they are good for, and what ends them. Chromium does the same behind nginx. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { eventually } from '../../test/deployment.ts'
import {
  API,
  type Answer,
  ask,
  type GatewayServer,
  OPEN_HOST,
  openGatewayServer,
  SECRET,
} from '../../test/gateway/protected.ts'

type Header = readonly [string, string]
const OTHER_HOST = 'other.example.test'
const PASSWORD = 'correct horse battery staple'
const APP = '__Host-postern-app'

onBothDatabases('sessions on protected hosts', (fresh) => {
  let server: GatewayServer
  let userId: string
  let tenantId: string

  before(async () => {
    server = await openGatewayServer(await fresh(), {
      env: { POSTERN_GATEWAY_HOSTS: `https://${OPEN_HOST},https://${OTHER_HOST}` },
    })
    for (const host of [OPEN_HOST, OTHER_HOST]) {
      await server.manage('POST', '/v1/gateway/routes', { host, path: '/fresh', resource: API, max_age: 300 })
      for (const [path, acr] of [
        ['/password', 'urn:postern:acr:1fa'],
        ['/strong', 'urn:postern:acr:mfa'],
        ['/foreign', 'urn:example:gold'],
      ])
        await server.manage('POST', '/v1/gateway/routes', { host, path, resource: API, acr_values: [acr] })
      await server.manage('POST', '/v1/gateway/routes', {
        host,
        path: '/admin',
        resource: API,
        roles: ['admin'],
      })
      await server.manage('POST', '/v1/gateway/routes', { host, resource: API, scopes: ['orders:write'] })
    }
    const { data } = await server.manage('GET', '/v1/tenants')
    tenantId = data[0].id
    const user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    userId = user.id
    await server.manage('POST', `/v1/users/${userId}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${userId}/tenants/${tenantId}`, { roles: ['reader'] })
  })
  after(() => server.close())

  const question = (
    cookie: string | undefined,
    { host = OPEN_HOST, uri = '/orders', method = 'GET', more = [] as Header[], port = server.port } = {},
  ): Promise<Answer> =>
    ask(port, '/gateway/traefik', [
      ['Host', 'postern.internal'],
      ['Postern-Gateway-Secret', SECRET],
      ['X-Forwarded-Method', method],
      ['X-Forwarded-Proto', 'https'],
      ['X-Forwarded-Host', host],
      ['X-Forwarded-Uri', uri],
      ['X-Forwarded-For', '203.0.113.7'],
      ...(cookie === undefined ? [] : [['Cookie', `theme=dark; ${APP}=${cookie}; lang=en`] as const]),
      ...more,
    ])
  const codeOf = (answer: Answer): unknown => answer.headers['postern-denial'] ?? answer.status

  const cookiesOf = (answer: Answer): string[] =>
    (answer.headers['set-cookie'] ?? []).map((text) => text.split(';')[0] as string)
  const issuerHost = (): Header => ['Host', `localhost:${server.port}`]

  /** Begins on a host, signs in (with a password, or by the session that a browser has), and answers how it goes on. */
  async function signIn(
    host: string,
    issuerCookies: readonly string[] = [],
  ): Promise<{ callback: string; state: string; issuer: string[] }> {
    const begun = await begin(host, '/.postern/sign-in?return=%2Forders%3Fa%3D1')
    const [state = ''] = cookiesOf(begun)
    const signed = await atIssuer(pathOf(begun), issuerCookies)
    assert.equal(signed.status, 303, signed.text)
    const set = cookiesOf(signed)
    return { callback: pathOf(signed), state, issuer: set.length > 0 ? set : [...issuerCookies] }
  }
  async function begin(host: string, path: string): Promise<Answer> {
    const begun = await ask(server.port, path, [['Host', host]])
    assert.equal(begun.status, 303)
    return begun
  }
  const attempt = async (path: string, issuerCookies: readonly string[]): Promise<Answer> =>
    atIssuer(pathOf(await begin(OPEN_HOST, path)), issuerCookies)
  async function atIssuer(at: string, issuerCookies: readonly string[]): Promise<Answer> {
    const page = await ask(server.port, at, [issuerHost(), ['Cookie', issuerCookies.join('; ')]])
    if (page.status === 303) return page
    // As far apart as attempts of one account may be.
    server.clock.advanceMonotonic(31_000)
    const form = cookiesOf(page)
    const token = /name="form_token"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="form_token"/.exec(
      page.text,
    )
    const body = new URLSearchParams({
      form_token: token?.[1] ?? token?.[2] ?? '',
      identifier: 'ada',
      password: PASSWORD,
    }).toString()
    return ask(
      server.port,
      at,
      [
        issuerHost(),
        ['Cookie', [...form, ...issuerCookies].join('; ')],
        ['Origin', server.issuer],
        ['Content-Type', 'application/x-www-form-urlencoded'],
        ['Content-Length', String(Buffer.byteLength(body))],
      ],
      { method: 'POST', body },
    )
  }
  const pathOf = ({ headers }: Answer): string => {
    const url = new URL(String(headers.location))
    return url.pathname + url.search
  }
  const finish = (host: string, callback: string, state: string): Promise<Answer> =>
    ask(server.port, callback, [
      ['Host', host],
      ['Cookie', state],
    ])
  async function session(
    host = OPEN_HOST,
    issuer: readonly string[] = [],
  ): Promise<{ cookie: string; issuer: string[] }> {
    const begun = await signIn(host, issuer)
    const done = await finish(host, begun.callback, begun.state)
    assert.deepEqual([done.status, done.headers.location], [303, `https://${host}/orders?a=1`])
    const set = (done.headers['set-cookie'] ?? []).find((text) => text.startsWith(`${APP}=`)) ?? ''
    assert.match(set, /; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=\d+$/)
    return { cookie: /=([\w-]{43});/.exec(set)?.[1] ?? '', issuer: begun.issuer }
  }

  it('begin with a sign-in, say who it is, and are kept from the application', async () => {
    const { cookie } = await session()
    const answer = await question(cookie)
    assert.equal(answer.status, 200, answer.text)
    assert.equal(answer.headers['postern-subject'], userId)
    assert.equal(answer.headers['postern-tenant'], tenantId)
    assert.equal(answer.headers['postern-credential-type'], 'session')
    assert.match(String(answer.headers['postern-credential']), /^ses_/)
    assert.equal(answer.headers['cookie'], 'theme=dark; lang=en')
    assert.equal(codeOf(await question(cookie, { uri: '/admin' })), 'insufficient_scope')
  })

  it('are known to verify, with the host that they are for and no other', async () => {
    const { cookie } = await session()
    const asked = (host: string) =>
      server.manage('POST', '/v1/verify', { credential: `gws.${cookie}@${host}`, resource: API })
    assert.equal((await asked(OPEN_HOST)).principal.credential.type, 'session')
    assert.equal((await asked(OTHER_HOST)).code, 'unknown')
    assert.equal(codeOf(await question(cookie, { host: OTHER_HOST })), 'unknown')
    const header: Header = ['Authorization', `Bearer gws.${cookie}@${OPEN_HOST}`]
    assert.equal(codeOf(await question(undefined, { more: [header] })), 'unsupported', 'not from a header')
  })

  it('begin with a code that is good once, for its host, in the browser that asked', async () => {
    const { callback, state } = await signIn(OPEN_HOST)
    assert.equal((await finish(OTHER_HOST, callback, state)).status, 403)
    assert.equal((await finish(OPEN_HOST, callback, state)).status, 403, 'used up by the wrong host')
    const other = await signIn(OPEN_HOST)
    assert.equal((await finish(OPEN_HOST, other.callback, state)).status, 403, "another browser's state")
    const late = await signIn(OPEN_HOST)
    server.clock.advance(61_000)
    assert.equal((await finish(OPEN_HOST, late.callback, late.state)).status, 403)
    const twice = await signIn(OPEN_HOST)
    const both = await Promise.all([0, 1].map(() => finish(OPEN_HOST, twice.callback, twice.state)))
    assert.deepEqual(both.map(({ status }) => status).sort(), [303, 403])
  })

  it('need no second sign-in on another host, and end with the first one on every host and process', async () => {
    const first = await session()
    const second = await session(OTHER_HOST, first.issuer)
    const node = await server.secondNode()
    const codes = async (): Promise<unknown[]> =>
      Promise.all([
        question(first.cookie).then(codeOf),
        question(second.cookie, { host: OTHER_HOST }).then(codeOf),
        question(first.cookie, { port: node.port }).then(codeOf),
      ])
    assert.deepEqual(await codes(), [200, 200, 200])
    await server.manage('POST', `/v1/users/${userId}/sign-out-everywhere`, {})
    await eventually('every host and process refuses', async () => !(await codes()).includes(200))
    await node.close()
  })

  it('are refused while the user is disabled, and without a tenant', async () => {
    const { cookie } = await session()
    await server.manage('POST', `/v1/users/${userId}/disable`)
    assert.notEqual(codeOf(await question(cookie)), 200)
    await server.manage('POST', `/v1/users/${userId}/enable`)
    const again = await session()
    await server.manage('DELETE', `/v1/users/${userId}/tenants/${tenantId}`)
    assert.equal(codeOf(await question(again.cookie)), 'revoked', 'whoever loses a role signs in again')
    const member = await session()
    assert.equal(codeOf(await question(member.cookie)), 'wrong_tenant')
    await server.manage('PUT', `/v1/users/${userId}/tenants/${tenantId}`, { roles: ['reader'] })
  })

  it('take no change that a page of another origin sends', async () => {
    const { cookie } = await session()
    const sent = async (method: string, ...more: Header[]): Promise<unknown> =>
      codeOf(await question(cookie, { method, more }))
    assert.equal(await sent('POST', ['Origin', `https://${OPEN_HOST}`]), 200)
    assert.equal(await sent('POST', ['Origin', `https://${OTHER_HOST}`]), 'gateway_ambiguous')
    assert.equal(await sent('POST', ['Origin', 'null']), 'gateway_ambiguous')
    assert.equal(await sent('DELETE', ['Sec-Fetch-Site', 'same-site']), 'gateway_ambiguous')
    assert.equal(await sent('GET', ['Sec-Fetch-Site', 'cross-site']), 200, 'a link may lead here')
  })

  it('sign in again where a route asks for a stronger one, and are told when they cannot', async () => {
    const { cookie, issuer } = await session()
    assert.equal((await question(cookie, { uri: '/password' })).status, 200, 'more than was asked for')
    const script = await question(cookie, { uri: '/strong' })
    assert.equal(codeOf(script), 'insufficient_authentication')
    assert.match(
      String(script.headers['www-authenticate']),
      /error="insufficient_user_authentication".* acr_values="urn:postern:acr:mfa phr"/,
    )
    const html: Header = ['Accept', 'text/html']
    const sent = await question(cookie, { uri: '/strong', more: [html] })
    const at = `https://${OPEN_HOST}/.postern/sign-in?return=%2Fstrong&acr_values=urn%3Apostern%3Aacr%3Amfa`
    assert.deepEqual([sent.status, sent.headers.location], [302, at])
    const foreign = await question(cookie, { uri: '/foreign', more: [html] })
    assert.equal(foreign.status, 401, 'nobody signs in here by that')

    const weak = await attempt(pathOf(sent), issuer)
    assert.equal(weak.status, 403)
    assert.match(weak.text, /not strong enough/)
    assert.equal(weak.headers.location, undefined)
  })

  it('sign in again where a route asks for a recent one, and come back', async () => {
    const { cookie } = await session()
    assert.equal((await question(cookie, { uri: '/fresh' })).status, 200)
    server.clock.advance(301_000)
    assert.equal(codeOf(await question(cookie, { uri: '/fresh' })), 'insufficient_authentication')
    const page = await question(cookie, { uri: '/fresh', more: [['Accept', 'text/html']] })
    assert.equal(page.headers.location, `https://${OPEN_HOST}/.postern/sign-in?return=%2Ffresh&max_age=300`)
    assert.equal((await question(cookie)).status, 200, 'elsewhere it is as good as before')
  })
})
