/** Chromium behind the real nginx: sign-in, the way back, single sign-on on a second host, and signing out of both. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { freshSqlite, type TestDatabase } from '../databases.ts'
import { eventually } from '../deployment.ts'
import { claimsOf } from '../oauth-server.ts'
import { freePort } from '../postgres-cluster.ts'
import {
  API,
  ask,
  type GatewayServer,
  openGatewayServer,
  SECRET,
  startUpstream,
  type Upstream,
} from './protected.ts'
import { REAL_PROXIES, type RunningProxy } from './proxies.ts'

const CHROMIUM = '/usr/bin/chromium'
const PASSWORD = 'correct horse battery staple'
const nginx = REAL_PROXIES.find(({ name }) => name === 'nginx')
const missing = existsSync(CHROMIUM) ? nginx?.missing : 'no Chromium here'

describe('signing in behind nginx with Chromium', { skip: missing ?? false }, () => {
  let database: TestDatabase
  let server: GatewayServer
  let upstream: Upstream
  const proxies: RunningProxy[] = []
  let browser: Browser
  let context: BrowserContext
  let userId: string
  let first: string
  let second: string

  before(async () => {
    database = freshSqlite()
    upstream = await startUpstream()
    const ports = [await freePort(), await freePort()] as const
    ;[first, second] = [`http://app1.localhost:${ports[0]}`, `http://app2.localhost:${ports[1]}`]
    server = await openGatewayServer(database, {
      realClock: true,
      env: { POSTERN_GATEWAY_HOSTS: `${first},${second}` },
    })
    for (const [index, listen] of ports.entries()) {
      const host = `app${index + 1}.localhost`
      await server.manage('POST', '/v1/gateway/routes', {
        host,
        resource: API,
        credentials: ['session'],
        path: '/',
      })
      proxies.push(
        (await nginx?.start({
          listen,
          host,
          postern: server.port,
          upstream: upstream.port,
          secret: SECRET,
          cookie: `postern-app-${listen}`,
        })) as RunningProxy,
      )
    }
    const { data: tenants } = await server.manage('GET', '/v1/tenants')
    const user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    userId = user.id
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenants[0].id}`, { roles: ['reader'] })
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--disable-sync',
        '--no-first-run',
        '--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP localhost 127.0.0.1',
      ],
    })
    context = await browser.newContext()
  })
  after(async () => {
    await browser?.close()
    for (const proxy of proxies) await proxy.stop()
    await server?.close()
    await upstream?.close()
    await database?.drop()
  })

  /** What the application was sent, as it echoes it. */
  const echoed = async (page: Page) =>
    JSON.parse((await page.textContent('body')) ?? '') as { url: string; headers: Record<string, string> }

  it('leads to the sign-in page and back to the page that was asked for', async () => {
    const page = await context.newPage()
    await page.goto(`${first}/reports/7?year=2027&q=a%20b`)
    assert.ok(page.url().startsWith(`${server.issuer}/sign-in/app?`), page.url())
    await page.fill('#identifier', 'ada')
    await page.fill('#password', PASSWORD)
    await page.click('button:has-text("Sign in")')
    await page.waitForURL(`${first}/**`)
    assert.equal(page.url(), `${first}/reports/7?year=2027&q=a%20b`)
    const { url, headers } = await echoed(page)
    assert.equal(url, '/reports/7?year=2027&q=a%20b')
    assert.equal(headers['postern-subject'], userId)
    assert.equal(headers['postern-roles'], 'reader')
    assert.equal(headers['postern-credential-type'], 'session')
    assert.equal(claimsOf(headers['postern-identity'] as string).sub, userId)
    assert.doesNotMatch(headers['cookie'] ?? '', /postern-app/)
    await page.close()
  })

  it('asks for nothing more on a second host, which gets a cookie of its own', async () => {
    const page = await context.newPage()
    await page.goto(`${second}/start`)
    assert.equal(page.url(), `${second}/start`)
    assert.equal((await echoed(page)).headers['postern-subject'], userId)
    const cookies = (await context.cookies()).filter(({ name }) => /^postern-app-\d+$/.test(name))
    assert.deepEqual(cookies.map(({ domain }) => domain).sort(), ['app1.localhost', 'app2.localhost'])
    assert.ok(cookies.every(({ httpOnly, sameSite }) => httpOnly && sameSite === 'Lax'))
    assert.notEqual(cookies[0]?.value, cookies[1]?.value)
    // One host's cookie is worth nothing on the other.
    const [a, b] = cookies as unknown as [
      { value: string; domain: string; name: string },
      { domain: string; name: string },
    ]
    const port = Number(b.name.split('-').at(-1))
    const stolen = await ask(port, '/start', [
      ['Host', `${b.domain}:${port}`],
      ['Cookie', `${b.name}=${a.value}`],
    ])
    assert.equal(stolen.status, 401)
    await page.close()
  })

  it('takes a code once, from the browser that asked, and leads to no other host', async () => {
    const page = await context.newPage()
    const codes: string[] = []
    page.on('request', (request) => {
      if (request.url().includes('/.postern/callback?')) codes.push(request.url())
    })
    await context.clearCookies({ name: /^postern-app-\d+$/ })
    await page.goto(`${first}/again`)
    assert.equal(page.url(), `${first}/again`)
    assert.equal(codes.length, 1)
    const used = await page.goto(codes[0] as string)
    assert.equal(used?.status(), 403, 'used twice')

    const target = `${server.issuer}/sign-in/app?origin=${encodeURIComponent(first)}&state=${'a'.repeat(43)}&return=%2F`
    const planted = await page.goto(target)
    assert.equal(planted?.status(), 403, "another browser's state")
    for (const [origin, back] of [
      ['https://evil.example', '/'],
      [first, '//evil.example/'],
      [first, 'https://evil.example/'],
    ]) {
      const query = new URLSearchParams({
        origin: origin as string,
        state: 'a'.repeat(43),
        return: back as string,
      })
      const refused = await page.goto(`${server.issuer}/sign-in/app?${query}`)
      assert.equal(refused?.status(), 403, `${origin} ${back}`)
    }
    await page.close()
  })

  it('is signed out of every host at once', async () => {
    const page = await context.newPage()
    await page.goto(`${first}/.postern/sign-out`)
    assert.equal(page.url(), `${server.issuer}/sign-out`)
    await page.click('button')
    assert.match(await page.title(), /^Signed out/)
    for (const host of [first, second]) {
      await eventually(`${host} asks again`, async () => {
        await page.goto(`${host}/start`)
        return page.url().startsWith(`${server.issuer}/sign-in/app?`)
      })
    }
    await page.close()
  })
})
