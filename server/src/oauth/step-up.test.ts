import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  claimsOf,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { meetsAcr, wantedAcrs } from './step-up.ts'

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'
const ONE = 'urn:postern:acr:pwd'
const UNHEARD_OF = 'urn:example:unheard-of'
const TWO = 'urn:postern:acr:mfa'

onBothDatabases('how a user has to sign in', (fresh) => {
  let server: OAuthServer
  let web: Json
  let config: openid.Configuration
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    web = await newClient(server, { kind: 'web', redirect_uris: [CALLBACK], resources: [{ resource: API }] })
    const user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${web.tenant}`, { roles: [] })
    config = await openid.discovery(
      new URL(server.issuer),
      web.id,
      undefined,
      openid.ClientSecretBasic(web.client_secret),
      { execute: [openid.allowInsecureRequests] },
    )
  })
  after(() => server.close())

  const verifier = 'v'.repeat(43)
  const begin = async (more: Record<string, string>): Promise<string> =>
    openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid orders:read',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...more,
    }).href
  const redeem = (callback: string, checks: openid.AuthorizationCodeGrantChecks = {}) =>
    openid.authorizationCodeGrant(config, new URL(callback), { pkceCodeVerifier: verifier, ...checks })
  const signedIn = async (browser: Browser, more: Record<string, string> = {}): Promise<string> => {
    const page = await browser.submit(await browser.visit(await begin(more)), {
      identifier: 'ada',
      password: PASSWORD,
    })
    return page.url.startsWith(CALLBACK) ? page.url : (await browser.submit(page, { decision: 'allow' })).url
  }
  const errorOf = (url: string): string | null => new URL(url).searchParams.get('error')

  it('is told truthfully by ID tokens and access tokens, refreshed ones included', async () => {
    const startedAt = Math.floor(Date.now() / 1000)
    const tokens = await redeem(await signedIn(new Browser(server), { acr_values: ONE }))
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    const told = [
      tokens.claims(),
      claimsOf(tokens.access_token),
      refreshed.claims(),
      claimsOf(refreshed.access_token),
    ]
    for (const claims of told) {
      assert.equal(claims?.['acr'], ONE)
      assert.deepEqual(claims?.['amr'], ['pwd'])
      assert.ok(Math.abs(Number(claims?.['auth_time']) - startedAt) < 60)
    }
    assert.equal(new Set(told.map((claims) => claims?.['auth_time'])).size, 1)
  })

  it('is refused when it cannot be had: never less than was asked for', async () => {
    const browser = new Browser(server)
    await signedIn(browser)
    for (const more of [
      { acr_values: TWO },
      { acr_values: UNHEARD_OF },
      { claims: JSON.stringify({ id_token: { acr: { essential: true, value: TWO } } }) },
    ] as Record<string, string>[]) {
      const silent = await browser.visit(await begin({ ...more, prompt: 'none' }))
      assert.equal(errorOf(silent.url), 'unmet_authentication_requirements', JSON.stringify(more))
      const asked = await browser.visit(await begin(more))
      if (more['acr_values'] === UNHEARD_OF) {
        assert.equal(errorOf(asked.url), 'unmet_authentication_requirements')
        continue
      }
      assert.match(asked.text, /asks for a second factor/)
      const refused = await browser.submit(asked, { decision: 'deny' })
      assert.equal(errorOf(refused.url), 'unmet_authentication_requirements', JSON.stringify(more))
    }
    const enough = await browser.visit(await begin({ acr_values: `${TWO} ${ONE}` }))
    assert.ok(enough.url.startsWith(CALLBACK), enough.url)
    const voluntary = JSON.stringify({ id_token: { acr: { value: TWO } } })
    assert.ok((await browser.visit(await begin({ claims: voluntary }))).url.startsWith(CALLBACK))
  })

  it('counts since prompt=login, whichever way it was made: nobody is asked twice', async () => {
    const browser = new Browser(server)
    await signedIn(browser)
    const form = await browser.visit(await begin({ prompt: 'login' }))
    assert.match(form.text, /name="password"/)
    // On the page of its own, as a link, a provider or another tab would do.
    const own = await browser.visit('/account/password')
    assert.doesNotMatch(own.text, /name="identifier"/)
    await browser.visit('/sign-out').then((page) => browser.submit(page, {}))
    await browser.submit(await browser.visit('/sign-in'), { identifier: 'ada', password: PASSWORD })
    const back = await browser.visit(form.url)
    const callback = back.url.startsWith(CALLBACK) ? back : await browser.submit(back, { decision: 'allow' })
    assert.ok(callback.url.startsWith(CALLBACK), callback.text)
    await redeem(callback.url)
  })

  it('is as new as max_age says, and by a form when prompt=login says so', async () => {
    const browser = new Browser(server)
    const first = await redeem(await signedIn(browser))
    const still = await browser.visit(await begin({ max_age: '3600' }))
    assert.ok(still.url.startsWith(CALLBACK), still.url)
    const kept = await redeem(still.url, { maxAge: 3600 })
    assert.equal(kept.claims()?.auth_time, first.claims()?.auth_time)

    // Whole seconds are all that the protocol knows.
    await new Promise((resolve) => setTimeout(resolve, 2_100))
    for (const more of [{ max_age: '1' }, { prompt: 'login' }] as Record<string, string>[]) {
      const silent = new URL((await browser.visit(await begin({ max_age: '1', prompt: 'none' }))).url)
      if (more['max_age']) assert.equal(silent.searchParams.get('error'), 'login_required')
      const form = await browser.visit(await begin(more))
      assert.match(form.text, /name="password"/)
      const again = await redeem(await signedIn(browser, more))
      assert.ok(Number(again.claims()?.auth_time) > Number(first.claims()?.auth_time))
    }
  })
})

it('a stronger sign-in of ours proves what a weaker one does, and nothing else proves another', () => {
  assert.equal(meetsAcr(TWO, [ONE]), true)
  assert.equal(meetsAcr(ONE, [TWO]), false)
  assert.equal(meetsAcr(ONE, []), true)
  assert.equal(meetsAcr(undefined, [ONE]), false)
  assert.equal(meetsAcr(TWO, ['urn:other']), false)
  assert.deepEqual(wantedAcrs({ acr_values: ` ${ONE}  ${TWO} ` }), [ONE, TWO])
  assert.deepEqual(wantedAcrs({ claims: '{"id_token":{"acr":{"essential":true,"values":["a","b"]}}}' }), [
    'a',
    'b',
  ])
  assert.deepEqual(wantedAcrs({ claims: '{"id_token":{"acr":null}}' }), [])
})
