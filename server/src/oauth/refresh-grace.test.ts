import assert from 'node:assert/strict'
import { after, before, it, mock } from 'node:test'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  basic,
  claimsOf,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'
import { StorageUnavailable } from '../storage/index.ts'
import { GRACE_SECONDS } from './refresh-grace.ts'

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'

onBothDatabases('a refresh that is sent again', (fresh) => {
  let server: OAuthServer
  let user: Json
  let watcher: Json
  let aheadMs = 0
  before(async () => {
    server = await openOAuthServer(await fresh(), {
      clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() },
    })
    await newResource(server)
    watcher = await newClient(server, { introspects: [API] })
    user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${watcher.tenant}`, { roles: [] })
  })
  after(() => server.close())

  /** A client of that kind with the tokens of a user. */
  const granted = async (more: Record<string, unknown>, bound = false) => {
    const client = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
      ...more,
    })
    const config = await openid.discovery(
      new URL(server.issuer),
      client.id,
      undefined,
      client.client_secret ? openid.ClientSecretBasic(client.client_secret) : openid.None(),
      { execute: [openid.allowInsecureRequests] },
    )
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid orders:read orders:write',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Browser(server)
    const consent = await browser.submit(await browser.visit(url.href), {
      identifier: 'ada',
      password: PASSWORD,
    })
    const callback = await browser.submit(consent, { decision: 'allow' })
    const DPoP = bound ? openid.getDPoPHandle(config, await openid.randomDPoPKeyPair()) : undefined
    const tokens = await openid.authorizationCodeGrant(
      config,
      new URL(callback.url),
      { pkceCodeVerifier },
      undefined,
      DPoP && { DPoP },
    )
    const refresh = (token: unknown, fields: Record<string, string> = {}) =>
      openid.refreshTokenGrant(config, String(token), fields, DPoP && { DPoP })
    return { client, config, tokens, refresh }
  }
  const isActive = async (token: string): Promise<boolean> =>
    (await server.form('/introspect', { token }, basic(watcher.id, watcher.client_secret))).body.active
  const refused = (error: unknown): boolean =>
    (error as openid.ResponseBodyError).error === 'invalid_grant' ||
    assert.fail(`another error: ${String(error)}`)

  for (const [whose, more, bound] of [
    ['a client that authenticates', {}, false],
    ['a public client with a DPoP key', { kind: 'browser', dpop_bound: true }, true],
  ] as const)
    it(`gives ${whose} the same answer, and not another one`, async () => {
      const { tokens, refresh } = await granted(more, bound)
      const first = await refresh(tokens.refresh_token)
      const again = await refresh(tokens.refresh_token)
      assert.deepEqual({ ...again }, { ...first })
      assert.equal(await isActive(first.access_token), true)
      const next = await refresh(again.refresh_token)
      assert.equal(claimsOf(next.access_token).gid, claimsOf(first.access_token).gid)
    })

  it('is used up by the very write that stores what replaces it', async () => {
    const { tokens, refresh } = await granted({})
    const { artifacts } = server.deployment.oauth
    const [save, consume] = [mock.method(artifacts, 'save'), mock.method(artifacts, 'consume')]
    try {
      // The database goes away in the middle of it: nothing has happened.
      consume.mock.mockImplementationOnce(() => Promise.reject(new StorageUnavailable('away')))
      await assert.rejects(refresh(tokens.refresh_token))
      const next = await refresh(tokens.refresh_token)
      assert.equal(await isActive(next.access_token), true)
      assert.deepEqual([save.mock.callCount(), consume.mock.callCount()], [0, 2])
    } finally {
      mock.restoreAll()
    }
  })

  it('ends the grant of a public client without a key', async () => {
    const { tokens, refresh } = await granted({ kind: 'browser' })
    const first = await refresh(tokens.refresh_token)
    await assert.rejects(refresh(tokens.refresh_token), refused)
    assert.equal(await isActive(first.access_token), false)
    await assert.rejects(refresh(first.refresh_token), refused)
  })

  it('ends the grant when it comes too late', async () => {
    const { tokens, refresh } = await granted({})
    const first = await refresh(tokens.refresh_token)
    aheadMs = (GRACE_SECONDS + 1) * 1000
    await assert.rejects(refresh(tokens.refresh_token), refused)
    aheadMs = 0
    assert.equal(await isActive(first.access_token), false)
    await assert.rejects(refresh(first.refresh_token), refused)
  })

  it('ends the grant when it asks for something else', async () => {
    const { tokens, refresh } = await granted({})
    const first = await refresh(tokens.refresh_token)
    await assert.rejects(refresh(tokens.refresh_token, { scope: 'openid orders:read' }), refused)
    assert.equal(await isActive(first.access_token), false)
  })

  it('is nothing to another client, and to one that has the token without its key', async () => {
    const bound = await granted({ kind: 'browser', dpop_bound: true }, true)
    const first = await bound.refresh(bound.tokens.refresh_token)
    const thief = openid.getDPoPHandle(bound.config, await openid.randomDPoPKeyPair())
    await assert.rejects(
      openid.refreshTokenGrant(bound.config, String(bound.tokens.refresh_token), {}, { DPoP: thief }),
    )
    await assert.rejects(openid.refreshTokenGrant(bound.config, String(bound.tokens.refresh_token)))
    assert.equal(await isActive(first.access_token), true)

    const own = await granted({})
    const mine = await own.refresh(own.tokens.refresh_token)
    const other = await granted({})
    await assert.rejects(other.refresh(own.tokens.refresh_token), refused)
    assert.equal(await isActive(mine.access_token), true)
  })

  it('gets nothing once the grant has ended, and leaves nothing readable behind', async () => {
    const { config, tokens, refresh } = await granted({})
    const first = await refresh(tokens.refresh_token)
    const stored = JSON.stringify(
      await server.deployment.storage
        .read<Record<string, Record<string, unknown>>>()
        .selectFrom('oauth_artifacts')
        .selectAll()
        .execute(),
    )
    assert.match(stored, /RefreshAnswer/)
    for (const secret of [first.access_token, String(first.refresh_token), String(tokens.refresh_token)])
      assert.ok(!stored.includes(secret))
    await openid.tokenRevocation(config, String(first.refresh_token))
    await assert.rejects(refresh(tokens.refresh_token), refused)
  })
})
