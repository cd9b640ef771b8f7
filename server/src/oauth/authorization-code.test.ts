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

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'

onBothDatabases('authorization code', (fresh) => {
  let server: OAuthServer
  let web: Json
  let user: Json
  let tenant: string
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    web = await newClient(server, { kind: 'web', redirect_uris: [CALLBACK], resources: [{ resource: API }] })
    tenant = web.tenant
    user = await newUser('ada')
  })
  after(() => server.close())

  const newUser = async (username: string): Promise<Json> => {
    const made = await server.manage('POST', '/v1/users', { username, name: username.toUpperCase() })
    await server.manage('POST', `/v1/users/${made.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${made.id}/tenants/${tenant}`, { roles: ['buyer'] })
    return made
  }
  const configFor = (client: Json) =>
    openid.discovery(
      new URL(server.issuer),
      client.id,
      undefined,
      client.client_secret ? openid.ClientSecretBasic(client.client_secret) : openid.None(),
      { execute: [openid.allowInsecureRequests] },
    )
  const begin = async (client: Json, more: Record<string, string> = {}) => {
    const config = await configFor(client)
    const verifier = openid.randomPKCECodeVerifier()
    const state = openid.randomState()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: client.redirect_uris[0],
      scope: 'openid profile orders:read',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      ...more,
    })
    const finish = (callback: string, params?: URLSearchParams) =>
      openid.authorizationCodeGrant(
        config,
        new URL(callback),
        { pkceCodeVerifier: verifier, expectedState: state },
        params,
      )
    return { config, url, finish, verifier }
  }
  const signIn = async (browser: Browser, url: URL, username = 'ada') =>
    browser.submit(await browser.visit(url.href), { identifier: username, password: PASSWORD })
  /** Signs in and allows; answers the callback with its code. */
  const authorize = async (browser: Browser, url: URL, username = 'ada'): Promise<string> => {
    const consent = await signIn(browser, url, username)
    if (consent.url.startsWith(CALLBACK)) return consent.url
    return (await browser.submit(consent, { decision: 'allow' })).url
  }

  it('takes openid-client through sign-in, consent, code, refresh and user info', async () => {
    const { config, url, finish } = await begin(web)
    const browser = new Browser(server)
    const consent = await signIn(browser, url)
    assert.match(consent.text, /Allow A client\?/)
    assert.match(consent.text, /app\.example\.test/)
    assert.match(consent.text, /May orders:read/)
    const callback = await browser.submit(consent, { decision: 'allow' })
    assert.equal(new URL(callback.url).searchParams.get('iss'), server.issuer)
    const tokens = await finish(callback.url)
    const claims = claimsOf(tokens.access_token)
    assert.equal(claims.sub, user.id)
    assert.equal(claims.tenant, tenant)
    assert.equal(claims.aud, API)
    assert.equal(claims.scope, 'orders:read')
    assert.match(claims.gid, /^gra_/)
    assert.match(claims.sid, /^ses_/)
    assert.deepEqual(claims.roles, ['buyer'])
    assert.deepEqual(claims.amr, ['pwd'])
    assert.equal(tokens.claims()?.sub, user.id)
    assert.equal(tokens.claims()?.['acr'], claims.acr)

    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.equal(claimsOf(refreshed.access_token).gid, claims.gid)
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
    await assert.rejects(openid.refreshTokenGrant(config, String(tokens.refresh_token)))
    await assert.rejects(openid.refreshTokenGrant(config, String(refreshed.refresh_token)))
    assert.equal((await openid.tokenIntrospection(config, refreshed.access_token)).active, false)
  })

  it('does not ask a second time for what was allowed, and does for more', async () => {
    const browser = new Browser(server)
    const first = await begin(web)
    await authorize(browser, first.url)
    const again = await begin(web)
    const straight = await browser.visit(again.url.href)
    assert.ok(straight.url.startsWith(CALLBACK), straight.url)
    await again.finish(straight.url)
    const more = await begin(web, { scope: 'openid orders:read orders:write' })
    assert.match((await browser.visit(more.url.href)).text, /May orders:write/)
    const none = await begin(web, { scope: 'openid orders:refund', prompt: 'none' })
    const refused = new URL((await browser.visit(none.url.href)).url)
    assert.equal(refused.searchParams.get('error'), 'consent_required')
  })

  it('asks for the password again when the application wants it, and after signing out', async () => {
    const browser = new Browser(server)
    await authorize(browser, (await begin(web)).url)
    const fresh = await browser.visit((await begin(web, { prompt: 'login' })).url.href)
    assert.match(fresh.text, /name="password"/)
    const out = await browser.visit('/sign-out')
    await browser.submit(out, {})
    assert.match((await browser.visit((await begin(web)).url.href)).text, /name="password"/)
  })

  it('sends a refusal back to the application, and the user who is no member', async () => {
    const { url } = await begin(
      await newClient(server, { kind: 'web', redirect_uris: [CALLBACK], resources: [{ resource: API }] }),
    )
    const browser = new Browser(server)
    const denied = await browser.submit(await signIn(browser, url), { decision: 'deny' })
    assert.equal(new URL(denied.url).searchParams.get('error'), 'access_denied')
    const outsider = await server.manage('POST', '/v1/users', { username: 'outsider', name: 'O' })
    await server.manage('POST', `/v1/users/${outsider.id}/password`, { password: PASSWORD })
    const other = new Browser(server)
    const refused = await signIn(other, (await begin(web)).url, 'outsider')
    assert.equal(new URL(refused.url).searchParams.get('error'), 'access_denied')
  })

  it('shows an error to the user, never to a stranger, for a wrong redirect URI in every spelling', async () => {
    const wrong = [
      'https://app.example.test/callback/',
      'https://app.example.test/callback?x=1',
      'https://app.example.test/Callback',
      'https://app.example.test:443/callback',
      'https://APP.example.test/callback',
      'https://app.example.test/./callback',
      'https://app.example.test/%63allback',
      'https://app.example.test@evil.example/callback',
      'https://evil.example/callback',
      'http://app.example.test/callback',
      `${CALLBACK}#x`,
    ]
    for (const redirect_uri of wrong) {
      const page = await new Browser(server).visit((await begin(web, { redirect_uri })).url.href)
      assert.equal(page.status, 400, redirect_uri)
      assert.ok(page.url.startsWith(server.issuer))
    }
  })

  it('wants PKCE with S256 from everyone, and the code response type alone', async () => {
    const errorOf = async (change: (url: URL) => void): Promise<string | null> => {
      const { url } = await begin(web)
      change(url)
      const page = await new Browser(server).visit(url.href)
      return page.url.startsWith(CALLBACK)
        ? (new URL(page.url).searchParams.get('error') ??
            new URLSearchParams(new URL(page.url).hash.slice(1)).get('error'))
        : `page ${page.status}`
    }
    assert.equal(await errorOf((url) => url.searchParams.delete('code_challenge')), 'invalid_request')
    assert.equal(
      await errorOf((url) => url.searchParams.set('code_challenge_method', 'plain')),
      'invalid_request',
    )
    assert.equal(
      await errorOf((url) => url.searchParams.set('response_type', 'token')),
      'unsupported_response_type',
    )
    assert.equal(
      await errorOf((url) => url.searchParams.set('response_type', 'code id_token')),
      'unsupported_response_type',
    )
    assert.equal(
      await errorOf((url) => url.searchParams.set('resource', 'https://nope.example/')),
      'invalid_target',
    )
    assert.equal(await errorOf((url) => url.searchParams.append('scope', 'openid')), 'invalid_request')
  })

  it('refuses a code with a wrong verifier, of another client, and a second time', async () => {
    const code = async () => {
      const begun = await begin(web)
      const callback = await authorize(new Browser(server), begun.url)
      return { code: String(new URL(callback).searchParams.get('code')), verifier: begun.verifier }
    }
    const redeem = (who: Json, fields: Record<string, string>) =>
      server.form(
        '/token',
        {
          grant_type: 'authorization_code',
          redirect_uri: CALLBACK,
          client_id: who.id,
          ...fields,
        },
        who.client_secret
          ? { authorization: `Basic ${Buffer.from(`${who.id}:${who.client_secret}`).toString('base64')}` }
          : {},
      )
    const one = await code()
    const wrong = await redeem(web, { code: one.code, code_verifier: 'x'.repeat(43) })
    assert.deepEqual([wrong.status, wrong.body.error], [400, 'invalid_grant'])
    const other = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
    })
    const stolen = await redeem(other, { code: one.code, code_verifier: one.verifier })
    assert.deepEqual([stolen.status, stolen.body.error], [400, 'invalid_grant'])
    const good = await redeem(web, { code: one.code, code_verifier: one.verifier })
    assert.equal(good.status, 200)
    const again = await redeem(web, { code: one.code, code_verifier: one.verifier })
    assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant'])
    const config = await configFor(web)
    assert.equal((await openid.tokenIntrospection(config, good.body.access_token)).active, false)
    await assert.rejects(openid.refreshTokenGrant(config, good.body.refresh_token))
  })

  it('ends everything with the session, with the user, and with the grant', async () => {
    const config = await configFor(web)
    const granted = async () => {
      const browser = new Browser(server)
      const begun = await begin(web)
      const tokens = await begun.finish(await authorize(browser, begun.url))
      return { browser, tokens }
    }
    const active = async (token: string) => (await openid.tokenIntrospection(config, token)).active

    const signedOut = await granted()
    await signedOut.browser.submit(await signedOut.browser.visit('/sign-out'), {})
    assert.equal(await active(signedOut.tokens.access_token), false)
    await assert.rejects(openid.refreshTokenGrant(config, String(signedOut.tokens.refresh_token)))

    const given = await granted()
    await openid.tokenRevocation(config, String(given.tokens.refresh_token))
    assert.equal(await active(given.tokens.access_token), false)

    const disabled = await granted()
    await server.manage('POST', `/v1/users/${user.id}/disable`)
    assert.equal(await active(disabled.tokens.access_token), false)
    await assert.rejects(openid.refreshTokenGrant(config, String(disabled.tokens.refresh_token)))
    await server.manage('POST', `/v1/users/${user.id}/enable`)
    await assert.rejects(openid.refreshTokenGrant(config, String(disabled.tokens.refresh_token)))
  })

  it('signs out at the logout endpoint: here, and for the tokens', async () => {
    const browser = new Browser(server)
    const begun = await begin(web)
    const tokens = await begun.finish(await authorize(browser, begun.url))
    const ask = await browser.visit(`/session/end?id_token_hint=${tokens.id_token}`)
    assert.match(ask.text, /Sign out\?/)
    const done = await browser.submit(ask, { logout: 'yes' })
    assert.match(done.text, /You are signed out/)
    const config = await configFor(web)
    assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, false)
    assert.match((await browser.visit((await begin(web)).url.href)).text, /name="password"/)
  })

  it('tells every verifier of a logout, back-channel included, and of a code that is presented twice', async () => {
    const grace = await newUser('grace')
    const client = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
      // Nobody is there: the row does not wait for an application to hear of it.
      backchannel_logout_uri: 'https://127.0.0.1:1/logout',
    })
    const rowsSince = async (after: number): Promise<string[]> => {
      const { rows } = await server.manage('GET', `/v1/feed/events?after=${after}`)
      return rows.map((row: Json) => `${row.effect} ${row.kind}:${row.key}`)
    }
    const head = async (): Promise<number> => (await server.manage('GET', '/v1/feed/snapshot')).head

    const browser = new Browser(server)
    const begun = await begin(client)
    const tokens = await begun.finish(await authorize(browser, begun.url, 'grace'))
    const { sid, sub } = claimsOf(tokens.access_token)
    assert.equal(sub, grace.id)
    const before = await head()
    const ask = await browser.visit(`/session/end?id_token_hint=${tokens.id_token}`)
    await browser.submit(ask, { logout: 'yes' })
    assert.ok((await rowsSince(before)).includes(`revoked session:${sid}`))

    const again = await begin(client)
    const callback = await authorize(new Browser(server), again.url, 'grace')
    const { gid } = claimsOf((await again.finish(callback)).access_token)
    const position = await head()
    await assert.rejects(again.finish(callback))
    assert.deepEqual(await rowsSince(position), [`revoked grant:${gid}`])
  })

  it('stores nothing that could be presented', async () => {
    const begun = await begin(web)
    const callback = await authorize(new Browser(server), begun.url)
    const tokens = await begun.finish(callback)
    const secrets = [
      String(new URL(callback).searchParams.get('code')),
      String(tokens.refresh_token),
      tokens.access_token,
      web.client_secret,
    ]
    const dump = JSON.stringify(
      await Promise.all(
        ['oauth_artifacts', 'oauth_clients', 'oauth_consents', 'audit_events', 'activity', 'feed_rows'].map(
          (table) =>
            server.deployment.storage
              .read<Record<string, Record<string, unknown>>>()
              .selectFrom(table)
              .selectAll()
              .execute(),
        ),
      ),
    )
    for (const secret of secrets) assert.ok(!dump.includes(secret))
  })
})
