import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { freshSqlite } from '../../../test/databases.ts'
import { freePort } from '../../../test/postgres-cluster.ts'
import { openTestIdentity, PASSWORD, type TestIdentity } from '../test-identity.ts'

const CHROMIUM = '/usr/bin/chromium'
const QUIET = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']

describe('passkeys with Chromium', { skip: existsSync(CHROMIUM) ? false : 'no Chromium here' }, () => {
  const database = freshSqlite()
  let test: TestIdentity
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let issuer: string

  before(async () => {
    const port = await freePort()
    issuer = `http://localhost:${port}`
    test = await openTestIdentity(database, { issuer })
    await test.user('ada', PASSWORD)
    await test.server.listen({ port, host: '127.0.0.1' })
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET })
    context = await browser.newContext({ viewport: { width: 320, height: 640 } })
    page = await context.newPage()
    const devtools = await context.newCDPSession(page)
    await devtools.send('WebAuthn.enable')
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    })
  })
  after(async () => {
    await browser?.close()
    await test?.close()
    await database.drop()
  })

  it('shows a password that was typed, and stays under 30 kB with its script', async () => {
    const sizes: number[] = []
    const requests: string[] = []
    page.on('response', (response) => {
      requests.push(new URL(response.url()).pathname)
      void response.body().then((body) => sizes.push(body.length))
    })
    await page.goto(`${issuer}/sign-in`)
    await page.fill('#password', 'typed')
    await page.click('[data-shows=password]')
    assert.equal(await page.getAttribute('#password', 'type'), 'text')
    await page.click('[data-shows=password]')
    assert.equal(await page.getAttribute('#password', 'type'), 'password')
    assert.deepEqual(requests, ['/sign-in', '/assets/page.js'])
    const total = sizes.reduce((sum, size) => sum + size, 0)
    assert.ok(total > 10_000 && total < 30_000, `${total} bytes`)
    page.removeAllListeners('response')
  })

  it('adds one on the account’s page, and says when the device has it already', async () => {
    await page.goto(`${issuer}/account/passkeys`)
    await page.fill('#identifier', 'ada')
    await page.fill('#password', PASSWORD)
    await page.click('button:text-is("Sign in")')
    await page.fill('#name', 'My laptop')
    await page.click('button:text-is("Add a passkey")')
    await page.waitForSelector('text=My laptop')
    await page.fill('#name', 'Once more')
    await page.click('button:text-is("Add a passkey")')
    await page.waitForSelector('text=There is a passkey on this device already.')
  })

  const signOut = async (): Promise<void> => {
    await page.goto(`${issuer}/sign-out`)
    await page.click('button:text-is("Sign out")')
    assert.equal(await page.title(), 'Signed out – Postern')
  }

  it('signs in where the browser fills the form in by itself', async () => {
    await signOut()
    await page.goto(`${issuer}/sign-in`)
    await page.waitForSelector('text=You are signed in')
  })

  it('signs in with the button, where the browser offers nothing', async () => {
    await signOut()
    await page.route('**/sign-in', async (route) => {
      const answer = await route.fetch()
      await route.fulfill({ response: answer, body: (await answer.text()).replace('data-autofill', '') })
    })
    await page.goto(`${issuer}/sign-in`)
    await page.click('button:text-is("Use a passkey")')
    await page.waitForSelector('text=You are signed in')
    await page.unroute('**/sign-in')
    assert.equal(test.noted.at(-1)?.code, 'signed_in')
  })

  it('shows nothing of passkeys where no script runs', async () => {
    const plain = await browser.newContext({ javaScriptEnabled: false })
    const other = await plain.newPage()
    await other.goto(`${issuer}/sign-in`)
    assert.equal(await other.isVisible('text=Use a passkey'), false)
    assert.equal(await other.isVisible('text=Show it'), false)
    await plain.close()
  })
})
