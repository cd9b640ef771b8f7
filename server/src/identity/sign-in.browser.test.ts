import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Browser, type BrowserContext, chromium } from 'playwright-core'
import { freshSqlite } from '../../test/databases.ts'
import { freePort } from '../../test/postgres-cluster.ts'
import { declareRoute, sendFormPage } from '../http/index.ts'
import { consentPage } from './index.ts'
import { openTestIdentity, PASSWORD, type TestIdentity } from './test-identity.ts'

const CHROMIUM = '/usr/bin/chromium'
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]
const access = { kind: 'public', why: 'a test' } as const

describe('signing in with Chromium', { skip: existsSync(CHROMIUM) ? false : 'no Chromium here' }, () => {
  let test: TestIdentity
  let browser: Browser
  let context: BrowserContext
  let issuer: string
  /** Another origin: the application that waits, and the site that forges. */
  const elsewhere = createServer((request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(request.url?.startsWith('/forge') ? forgery() : '<title>application</title>')
  })
  const addressOf = () => `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
  const forgery = () =>
    `<title>forgery</title><form method="post" action="${issuer}/sign-out"><button>go</button></form>`

  before(async () => {
    const port = await freePort()
    issuer = `http://localhost:${port}`
    test = await openTestIdentity(freshSqlite(), { issuer })
    await test.user('ada', PASSWORD)
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    mountConsent()
    await test.server.listen({ port, host: '127.0.0.1' })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET })
    context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 320, height: 640 } })
  })
  after(async () => {
    await browser?.close()
    elsewhere.close()
    await test?.close()
  })

  /** Two consent pages, one that names the application to which its answer leads and one that names another. */
  function mountConsent(): void {
    declareRoute(test.server, {
      method: 'GET',
      url: '/consent/:named',
      access,
      summary: 'Consent',
      tags: [],
      schema: { response: {} },
      handler: (request, reply) => {
        const { named } = request.params as { named: string }
        const redirectUri = named === 'right' ? `${addressOf()}/cb` : 'https://app.example/cb'
        return sendFormPage(
          reply,
          200,
          consentPage({
            action: '/consent',
            formToken: 'x',
            application: { name: 'App', redirectUri },
            person: 'Ada',
            account: 'ada',
            tenants: [],
            scopes: [],
          }),
        )
      },
    })
    declareRoute(test.server, {
      method: 'POST',
      url: '/consent',
      access,
      form: true,
      summary: 'Consent',
      tags: [],
      schema: { response: {} },
      handler: (_request, reply) => reply.redirect(`${addressOf()}/cb`, 303),
    })
  }

  it('refuses a wrong password, takes the right one, and signs out, without JavaScript', async () => {
    const page = await context.newPage()
    await page.goto(`${issuer}/sign-in`)
    await page.fill('#identifier', 'ada')
    await page.fill('#password', 'not the right one')
    await page.click('button:visible')
    assert.match((await page.textContent('[role=alert]')) ?? '', /did not work/)
    assert.equal(await page.inputValue('#identifier'), 'ada')
    await page.fill('#password', PASSWORD)
    await page.click('button:visible')
    assert.equal(await page.title(), 'Signed in – Postern')

    const session = (await context.cookies()).find(({ name }) => !name.includes('form'))
    assert.deepEqual([session?.httpOnly, session?.sameSite], [true, 'Lax'])

    await page.goto(`${addressOf()}/forge`)
    await page.click('button:visible')
    await page.goto(`${issuer}/sign-out`)
    assert.equal(await page.title(), 'Sign out – Postern', 'a forged sign-out changed nothing')
    await page.click('button:visible')
    assert.equal(await page.title(), 'Signed out – Postern')
    await page.close()
  })

  it('shows its style, and fits into 320 pixels', async () => {
    const page = await context.newPage()
    for (const path of ['/sign-in', '/consent/right']) {
      await page.goto(issuer + path)
      const box = await page.locator('main').boundingBox()
      assert.ok(box && box.x >= 8 && box.x + box.width <= 312, path)
      assert.ok(((await page.locator('button:visible').first().boundingBox())?.height ?? 0) >= 44, path)
    }
    await page.close()
  })

  it('lets a form lead to the application that it names, and to no other', async () => {
    const page = await context.newPage()
    await page.goto(`${issuer}/consent/right`)
    await page.click('button[value=allow]')
    assert.equal(await page.title(), 'application')
    await page.goto(`${issuer}/consent/wrong`)
    await page.click('button[value=allow]', { noWaitAfter: true })
    await page.waitForTimeout(500)
    assert.ok(!page.url().startsWith(addressOf()))
    await page.close()
  })
})
