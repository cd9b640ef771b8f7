/** The web session in real Chromium: what a page's own script, and so a foreign one in it, can get hold of. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type Browser, type BrowserContext, chromium, type Page, type Response } from 'playwright-core'
import type { Json } from '../../server/test/oauth-server.ts'
import { memoryStore } from '../src/web/index.ts'
import { openWebApp, type WebApp } from './support/web-app.ts'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']

for (const [kept, options] of [
  ['in cookies', () => ({})],
  ['in a store', () => ({ store: memoryStore() })],
] as const)
  describe(
    `a page of an application with its session ${kept}`,
    { skip: existsSync(CHROMIUM) ? false : 'no Chromium here' },
    () => {
      let app: WebApp
      let browser: Browser
      /** Every token that Postern gave the application. */
      const tokens: string[] = []
      const recording: typeof fetch = async (...about) => {
        const response = await fetch(...about)
        const body = (await response
          .clone()
          .json()
          .catch(() => ({}))) as Json
        for (const name of ['access_token', 'refresh_token', 'id_token'])
          if (typeof body[name] === 'string') tokens.push(body[name])
        return response
      }

      before(async () => {
        app = await openWebApp('express', { fetch: recording, ...options() })
        browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
      })
      after(async () => {
        await browser?.close()
        await app.close()
      })

      test('signs in, calls, refreshes and signs out, and no token reaches its scripts', async () => {
        const context = await browser.newContext()
        const page = await context.newPage()
        const readable = recordReadable(page, app.origin)
        await page.goto(app.origin)
        assert.deepEqual(await ask(page, '/auth/session'), { status: 200, body: { signed_in: false } })
        await signIn(page, app)
        assert.equal(page.url(), `${app.origin}/?from=login#here`)

        const listed = await ask(page, '/orders')
        assert.equal(listed.status, 200, JSON.stringify(listed))
        assert.equal((await ask(page, '/auth/session')).body.signed_in, true)
        readable.push(...(await withinReach(page)))
        const cookies = await context.cookies()
        assert.ok(cookies.length > 0)
        for (const cookie of cookies.filter(({ name }) => name.startsWith('postern-app')))
          assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Lax'])

        app.advance(15 * 60_000)
        const later = await ask(page, '/orders')
        assert.equal(later.status, 200)
        assert.notEqual(later.body.credential.id, listed.body.credential.id)
        assert.equal((await ask(page, '/auth/refresh', 'POST')).status, 200)
        readable.push(...(await withinReach(page)))

        const out = await ask(page, '/auth/logout', 'POST')
        assert.equal(out.status, 200)
        assert.deepEqual(await sessionCookies(context), [])
        assert.equal((await ask(page, '/orders')).status, 401)
        await page.goto(out.body.location)
        await page.click('button[value=yes]')
        await page.waitForURL(`${app.origin}/`)
        readable.push(...(await withinReach(page)))

        assert.ok(tokens.length >= 9, 'a sign-in and two refreshes, of three tokens each')
        const everything = readable.join('\n')
        assert.ok(everything.includes('"signed_in":true'), 'the recording works')
        for (const token of tokens) assert.ok(!everything.includes(token), 'a token was readable')
        for (const { value } of cookies) assert.ok(!everything.includes(value), 'a cookie was readable')
        assert.doesNotMatch(everything, /eyJ[\w-]+\.[\w-]*\.[\w-]+/)
        await context.close()
      })

      test('is refused soon after its session was ended at Postern', async () => {
        const context = await browser.newContext()
        const page = await context.newPage()
        await page.goto(app.origin)
        await signIn(page, app)
        const { sessionId } = (await ask(page, '/orders')).body
        await app.server.manage('POST', '/v1/revocations', { targets: [{ kind: 'session', id: sessionId }] })
        let last: Json
        for (let round = 0; round < 100; round++) {
          last = await ask(page, '/orders')
          if (last.status === 401) break
          await new Promise((resolve) => setTimeout(resolve, 20))
        }
        assert.ok(['revoked', 'missing'].includes(last.body.code), JSON.stringify(last))
        assert.deepEqual((await ask(page, '/auth/session')).body, { signed_in: false })
        await context.close()
      })

      test('a page of another host cannot use it', async () => {
        const context = await browser.newContext()
        const page = await context.newPage()
        await page.goto(app.origin)
        await signIn(page, app)
        const foreign = await context.newPage()
        // The same program by its other name: for a browser that is another site.
        await foreign
          .goto(app.origin.replace('localhost', '127.0.0.1'))
          .catch(() => foreign.goto('data:text/html,x'))
        const outcome = await foreign.evaluate(async (origin) => {
          const tries: string[] = []
          for (const [path, init] of [
            ['/orders', { credentials: 'include' }],
            ['/auth/logout', { method: 'POST', credentials: 'include' }],
            ['/auth/logout', { method: 'POST', credentials: 'include', mode: 'no-cors' }],
            ['/auth/refresh', { method: 'POST', credentials: 'include', headers: { 'x-csrf': '1' } }],
          ] as [string, RequestInit][])
            tries.push(
              await fetch(origin + path, init).then(
                ({ type }) => type,
                () => 'blocked',
              ),
            )
          return tries
        }, app.origin)
        assert.deepEqual(outcome, ['blocked', 'blocked', 'opaque', 'blocked'])
        assert.equal((await ask(page, '/orders')).status, 200, 'nothing came of it')
        await context.close()
      })
    },
  )

async function signIn(page: Page, app: WebApp): Promise<void> {
  const user = await app.newUser()
  await page.goto(`${app.origin}/auth/login?return_to=${encodeURIComponent('/?from=login#here')}`)
  await page.fill('input[name=identifier]', user.username)
  await page.fill('input[name=password]', 'correct horse battery')
  await page.click('button[type=submit]')
  if (!page.url().startsWith(app.origin)) await page.click('button[value=allow]')
  await page.waitForURL(`${app.origin}/**`)
}

/** What the page's own script gets. */
function ask(page: Page, path: string, method = 'GET'): Promise<Json> {
  return page.evaluate(
    async ([path, method]) => {
      const answer = await fetch(path as string, {
        method: method as string,
        headers: method === 'GET' ? {} : { 'x-csrf': '1' },
      })
      return { status: answer.status, body: await answer.json() }
    },
    [path, method],
  )
}

/** Bodies and headers of everything that the application answers; `Set-Cookie` is shown to no script. */
function recordReadable(page: Page, origin: string): string[] {
  const readable: string[] = []
  page.on('response', (response: Response) => {
    if (!response.url().startsWith(origin)) return
    readable.push(response.url())
    for (const [name, value] of Object.entries(response.headers()))
      if (name !== 'set-cookie') readable.push(value)
    response.text().then(
      (text) => readable.push(text),
      () => 0,
    )
  })
  return readable
}

/** Everywhere else that a script may look. */
function withinReach(page: Page): Promise<string[]> {
  return page.evaluate(`(async () => [
    document.cookie,
    JSON.stringify({ ...localStorage }),
    JSON.stringify({ ...sessionStorage }),
    document.documentElement.outerHTML,
    location.href,
    document.referrer,
    window.name,
    JSON.stringify(history.state),
    JSON.stringify(performance.getEntries()),
    JSON.stringify([await indexedDB.databases(), await caches.keys()]),
  ])()`)
}

async function sessionCookies(context: BrowserContext): Promise<string[]> {
  return (await context.cookies())
    .map(({ name }) => name)
    .filter((name) => name.startsWith('postern-app') && !name.includes('-login-'))
}
