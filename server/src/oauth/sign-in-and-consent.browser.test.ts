import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import * as openid from 'openid-client'
import { generateSync } from 'otplib'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { freshSqlite, type TestDatabase } from '../../test/databases.ts'
import {
  API,
  claimsOf,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { configFor, newUser } from '../../test/sign-in-as.ts'

const CHROMIUM = '/usr/bin/chromium'
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run']
const PASSWORD = 'correct horse battery'
const MFA = 'urn:postern:acr:mfa'

describe(
  'an application that uses openid-client as it comes, in Chromium',
  {
    skip: existsSync(CHROMIUM) ? false : 'no Chromium here',
  },
  () => {
    let database: TestDatabase
    let server: OAuthServer
    let browser: Browser
    let laptop: BrowserContext
    let config: openid.Configuration
    let callback: string
    let secret: string
    /** The application's own page: what comes after its callback is its own. */
    const application = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>application</title>')
    })

    before(async () => {
      application.listen(0, 'localhost')
      await once(application, 'listening')
      callback = `http://localhost:${(application.address() as AddressInfo).port}/callback`
      database = freshSqlite()
      server = await openOAuthServer(database)
      await newResource(server)
      const client = await newClient(server, {
        kind: 'web',
        name: 'The shop',
        redirect_uris: [callback],
        resources: [{ resource: API }],
      })
      await newUser(server, 'ada', client.tenant)
      config = await configFor(server, client)
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS })
      laptop = await browser.newContext()
    })
    after(async () => {
      await browser?.close()
      application.close()
      await server?.close()
      await database?.drop()
    })

    async function begin(page: Page, more: Record<string, string> = {}) {
      const pkceCodeVerifier = openid.randomPKCECodeVerifier()
      const expectedState = openid.randomState()
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri: callback,
        scope: 'openid orders:read',
        resource: API,
        state: expectedState,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
        ...more,
      })
      await page.goto(url.href)
      return {
        async redeem() {
          await page.waitForURL(`${callback}**`)
          return openid.authorizationCodeGrant(config, new URL(page.url()), {
            pkceCodeVerifier,
            expectedState,
          })
        },
      }
    }
    const typePassword = async (page: Page): Promise<void> => {
      await page.fill('#identifier', 'ada')
      await page.fill('#password', PASSWORD)
      await page.click('button:text-is("Sign in")')
    }
    /** Each code works once: the one of the next step is taken, too. */
    const code = (laterSeconds: number): string =>
      generateSync({ strategy: 'totp', secret, epoch: Math.floor(Date.now() / 1000) + laterSeconds })
    const isGood = async (token: string): Promise<boolean> =>
      (await server.manage('POST', '/v1/verify', { credential: token, resource: API })).valid

    it('tells whoever has no second factor to add one, and has them back', async () => {
      const page = await laptop.newPage()
      const flow = await begin(page, { acr_values: MFA })
      await typePassword(page)
      assert.match(await page.innerText('main'), /The shop asks for a second factor/)
      await page.click('button:text-is("Add a second factor")')
      assert.match(page.url(), /\/account\/second-factor$/)
      secret = (await page.innerText('main code')).replace(/\s/g, '')
      // Not in the last moment of a step: the one before it would be too old on arrival.
      const leftMs = 30_000 - (Date.now() % 30_000)
      if (leftMs < 3_000) await page.waitForTimeout(leftMs + 50)
      await page.fill('#code', code(-30))
      await page.click('button:text-is("Turn on")')
      await page.waitForSelector('h1:text-is("Recovery codes")')
      await page.click('a:text-is("Go back to The shop")')
      assert.match(await page.innerText('main'), /asks for your second factor/)
      await typePassword(page)
      await page.fill('#code', code(0))
      await page.click('button:text-is("Go on")')
      await page.click('button:text-is("Allow")')
      const tokens = await flow.redeem()
      assert.equal(claimsOf(tokens.access_token).acr, MFA)
      assert.deepEqual(tokens.claims()?.['amr'], ['pwd', 'otp', 'mfa'])
      await page.close()
    })

    it('ends a session on one device while another goes on', async () => {
      const here = await laptop.newPage()
      // Consent was given: signed in, the browser passes through.
      const kept = await (await begin(here)).redeem()
      const phone = await browser.newContext()
      const there = await phone.newPage()
      const flow = await begin(there, { prompt: 'login' })
      await typePassword(there)
      await there.fill('#code', code(30))
      await there.click('button:text-is("Go on")')
      const lost = await flow.redeem()
      assert.deepEqual([await isGood(kept.access_token), await isGood(lost.access_token)], [true, true])

      await here.goto(`${server.issuer}/account/sessions`)
      await here.click('button:text-is("End it")')
      await here.waitForLoadState()
      for (let round = 0; round < 50 && (await isGood(lost.access_token)); round++)
        await new Promise((resolve) => setTimeout(resolve, 30))
      assert.deepEqual([await isGood(kept.access_token), await isGood(lost.access_token)], [true, false])
      await assert.rejects(openid.refreshTokenGrant(config, String(lost.refresh_token)))
      await openid.refreshTokenGrant(config, String(kept.refresh_token))

      await begin(there)
      assert.equal(await there.isVisible('#password'), true, 'the phone is signed out')
      await begin(here)
      await here.waitForURL(`${callback}**`)
      await phone.close()
    })
  },
)
