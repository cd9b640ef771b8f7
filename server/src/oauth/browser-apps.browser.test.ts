import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Browser, chromium, type Page } from 'playwright-core'
import { freshSqlite, type TestDatabase } from '../../test/databases.ts'
import {
  API,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { newUser } from '../../test/sign-in-as.ts'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']

describe(
  'an application in a browser, on another origin',
  {
    skip: existsSync(CHROMIUM) ? false : 'no Chromium here',
  },
  () => {
    let database: TestDatabase
    let server: OAuthServer
    let browser: Browser
    let client: Json
    /** Two origins that serve the same application; one is registered. */
    const sites = [createServer(serveApplication), createServer(serveApplication)]
    const originOf = (index: number): string =>
      `http://localhost:${((sites[index] as Server).address() as AddressInfo).port}`

    before(async () => {
      for (const site of sites) {
        site.listen(0, 'localhost')
        await once(site, 'listening')
      }
      database = freshSqlite()
      server = await openOAuthServer(database)
      await newResource(server)
      client = await newClient(server, {
        kind: 'browser',
        redirect_uris: [`${originOf(0)}/callback`],
        resources: [{ resource: API }],
      })
      await newUser(server, 'ada', client.tenant)
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
    })
    after(async () => {
      await browser?.close()
      for (const site of sites) site.close()
      await server.close()
      await database.drop()
    })

    /** Signs in by hand and comes back to the application with a code. */
    const codeFor = async (page: Page): Promise<string> => {
      const url = new URL(`${server.issuer}/authorize`)
      url.search = new URLSearchParams({
        client_id: client.id,
        response_type: 'code',
        redirect_uri: `${originOf(0)}/callback`,
        scope: 'openid orders:read',
        resource: API,
        code_challenge: await challengeOf(VERIFIER),
        code_challenge_method: 'S256',
      }).toString()
      await page.goto(url.href)
      await page.fill('input[name=identifier]', 'ada')
      await page.fill('input[name=password]', 'correct horse battery')
      await page.click('button[type=submit]')
      if (!page.url().startsWith(originOf(0))) await page.click('button[value=allow]')
      await page.waitForURL(`${originOf(0)}/callback**`)
      return String(new URL(page.url()).searchParams.get('code'))
    }
    /** What the page's own script gets of the token endpoint; the browser decides whether it may read it. */
    const ask = (page: Page, fields: Record<string, string>): Promise<Json> =>
      page.evaluate(
        async ([endpoint, body]) => {
          try {
            const answer = await fetch(endpoint, { method: 'POST', body: new URLSearchParams(body) })
            return { status: answer.status, body: await answer.json() }
          } catch (error) {
            return { blocked: String(error) }
          }
        },
        [`${server.issuer}/token`, { client_id: client.id, ...fields }] as const,
      )

    it('exchanges its code and refreshes across origins with fetch; an unregistered origin cannot', async () => {
      const page = await browser.newPage()
      const code = await codeFor(page)
      const redeemed = await ask(page, {
        grant_type: 'authorization_code',
        code,
        redirect_uri: `${originOf(0)}/callback`,
        code_verifier: VERIFIER,
      })
      assert.equal(redeemed.status, 200, JSON.stringify(redeemed))
      assert.ok(redeemed.body.access_token)
      const refreshed = await ask(page, {
        grant_type: 'refresh_token',
        refresh_token: redeemed.body.refresh_token,
      })
      assert.equal(refreshed.status, 200, JSON.stringify(refreshed))
      assert.notEqual(refreshed.body.refresh_token, redeemed.body.refresh_token)

      const other = await browser.newPage()
      await other.goto(originOf(1))
      const stolen = await ask(other, {
        grant_type: 'refresh_token',
        refresh_token: refreshed.body.refresh_token,
      })
      assert.match(String(stolen.blocked), /Failed to fetch/)
      // It was refused before the token was looked at: the application goes on with it.
      const still = await ask(page, {
        grant_type: 'refresh_token',
        refresh_token: refreshed.body.refresh_token,
      })
      assert.equal(still.status, 200, JSON.stringify(still))
    })
  },
)

const VERIFIER = 'v'.repeat(43)

async function challengeOf(verifier: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(verifier))).toString('base64url')
}

function serveApplication(_request: unknown, response: ServerResponse): void {
  response.setHeader('content-type', 'text/html').end('<!doctype html><title>application</title>')
}
