import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
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

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const API_KEY = 'urn:postern:params:oauth:token-type:api_key'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'

onBothDatabases('token exchange', (fresh) => {
  let server: OAuthServer
  let watcher: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    watcher = await newClient(server, { introspects: [API] })
  })
  after(() => server.close())

  const issueKey = (more: Record<string, unknown> = {}): Promise<Json> =>
    server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: 'customer-1',
      resource: API,
      scopes: ['orders:read', 'orders:write'],
      ...more,
    })
  const exchangeKey = (key: string, more: Record<string, string> = {}) =>
    server.form('/token', {
      grant_type: EXCHANGE,
      client_id: 'api-key',
      subject_token: key,
      subject_token_type: API_KEY,
      ...more,
    })
  const active = async (token: string): Promise<boolean> =>
    (await server.form('/introspect', { token }, basic(watcher.id, watcher.client_secret))).body.active

  it('gives an API key a short token of the same owner, tenant, API and scopes', async () => {
    const issued = await issueKey()
    const { status, body } = await exchangeKey(issued.key)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.issued_token_type, ACCESS_TOKEN)
    const claims = claimsOf(body.access_token)
    assert.equal(claims.sub, 'customer-1')
    assert.equal(claims.tenant, issued.tenant)
    assert.equal(claims.aud, API)
    assert.equal(claims.scope, 'orders:read orders:write')
    assert.deepEqual(claims.anc, [issued.id])
    assert.equal(await active(body.access_token), true)
  })

  it('narrows as asked, never widens', async () => {
    const { key } = await issueKey()
    const less = await exchangeKey(key, { scope: 'orders:read', resource: API })
    assert.equal(claimsOf(less.body.access_token).scope, 'orders:read')
    const more = await exchangeKey(key, { scope: 'orders:refund' })
    assert.deepEqual([more.status, more.body.error], [400, 'invalid_scope'])
    const elsewhere = await exchangeKey(key, { resource: 'https://other.example.test/' })
    assert.equal(elsewhere.status, 400)
  })

  it('ends with the key: when it is revoked, and when it expires', async () => {
    const issued = await issueKey()
    const { body } = await exchangeKey(issued.key)
    await server.manage('POST', `/v1/keys/${issued.id}/revoke`, {})
    assert.equal(await active(body.access_token), false)
    const again = await exchangeKey(issued.key)
    assert.deepEqual([again.status, again.body.error], [400, 'invalid_grant'])

    const short = await issueKey({ expires_in_seconds: 60 })
    const token = await exchangeKey(short.key)
    assert.ok(token.body.expires_in <= 60)
    assert.ok(claimsOf(token.body.access_token).exp * 1000 <= Date.parse(short.expires_at))
  })

  it('says nothing about why a key is refused, and takes no operator key', async () => {
    for (const key of [
      'sk_live_nonsense',
      'x',
      server.operatorKey,
      (await issueKey()).key.replace(/.$/, '!'),
    ]) {
      const { status, body } = await exchangeKey(key)
      assert.equal(status, 400)
      assert.ok(!JSON.stringify(body).includes('revoked'))
    }
    for (const bound of [{ ip_allow: ['127.0.0.0/8', '::1'] }, { environment: 'test' }])
      assert.equal((await exchangeKey((await issueKey(bound)).key)).body.error, 'invalid_grant')
  })

  it('refuses what it does not understand', async () => {
    const { key } = await issueKey()
    const wrong: Record<string, string>[] = [
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      { requested_token_type: 'urn:ietf:params:oauth:token-type:refresh_token' },
      { actor_token: 'x', actor_token_type: ACCESS_TOKEN },
      { audience: API },
      { subject_token: '' },
      { subject_token: key, subject_token_type: ACCESS_TOKEN },
    ]
    for (const more of wrong) assert.equal((await exchangeKey(key, more)).status, 400, JSON.stringify(more))
    const grants = await server.form('/token', { grant_type: 'client_credentials', client_id: 'api-key' })
    assert.equal(grants.status, 400)
  })

  const userToken = async (scope: string): Promise<Json> => {
    const web = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
    })
    const username = `user-${web.id.slice(-6)}`
    const user = await server.manage('POST', '/v1/users', { username, name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${web.tenant}`, { roles: ['buyer'] })
    const config = await openid.discovery(new URL(server.issuer), web.id, web.client_secret, undefined, {
      execute: [openid.allowInsecureRequests],
    })
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope,
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Browser(server)
    const consent = await browser.submit(await browser.visit(url.href), {
      identifier: username,
      password: PASSWORD,
    })
    const { url: callback } = await browser.submit(consent, { decision: 'allow' })
    const tokens = await openid.authorizationCodeGrant(config, new URL(callback), { pkceCodeVerifier })
    return { tokens, user, config, web }
  }
  const newAgent = (more: Record<string, unknown> = {}): Promise<Json> =>
    newClient(server, {
      name: 'Agent',
      grant_types: [EXCHANGE],
      resources: [{ resource: API, scopes: ['orders:read'] }],
      ...more,
    })
  const delegateTo = (agent: Json, subject: string, more: Record<string, string> = {}) =>
    server.form(
      '/token',
      { grant_type: EXCHANGE, subject_token: subject, subject_token_type: ACCESS_TOKEN, ...more },
      basic(agent.id, agent.client_secret),
    )

  it('lets an agent act for a user with less, under a grant of its own, nested as deep as it goes', async () => {
    const { tokens, user, config } = await userToken('openid orders:read orders:write')
    const agent = await newAgent()
    const { status, body } = await delegateTo(agent, tokens.access_token)
    assert.equal(status, 200, JSON.stringify(body))
    const [parent, claims] = [claimsOf(tokens.access_token), claimsOf(body.access_token)]
    assert.equal(claims.sub, user.id)
    assert.deepEqual(claims.act, { sub: agent.id })
    assert.equal(claims.scope, 'orders:read')
    assert.notEqual(claims.jti, parent.jti)
    assert.notEqual(claims.gid, parent.gid)
    assert.deepEqual(claims.anc, [parent.jti, parent.gid])
    assert.ok(claims.exp <= parent.exp)
    assert.ok(claims.rsn <= Math.max(parent.rsn, claims.rsn) && claims.rsn === parent.rsn)

    const second = await newAgent({ name: 'Second agent' })
    const nested = await delegateTo(second, body.access_token)
    assert.deepEqual(claimsOf(nested.body.access_token).act, { sub: second.id, act: { sub: agent.id } })

    // One agent is cut off: what came of it ends, the user's own token does not.
    await server.deployment.oauth.artifacts.revokeGrant(claims.gid, 'test')
    assert.equal(await active(body.access_token), false)
    assert.equal(await active(nested.body.access_token), false)
    assert.equal(await active(tokens.access_token), true)

    const another = await delegateTo(agent, tokens.access_token)
    assert.equal(await active(another.body.access_token), true)
    await openid.tokenRevocation(config, tokens.access_token)
    assert.equal(await active(another.body.access_token), false)
  })

  it('refuses an agent that asks for more, that has no permission, or that has somebody else’s tenant', async () => {
    const { tokens } = await userToken('openid orders:read orders:write')
    const agent = await newAgent()
    const more = await delegateTo(agent, tokens.access_token, { scope: 'orders:write' })
    assert.deepEqual([more.status, more.body.error], [400, 'invalid_scope'])
    const unresourced = await newAgent({ resources: [] })
    assert.equal((await delegateTo(unresourced, tokens.access_token)).body.error, 'invalid_target')
    const plain = await newClient(server, { resources: [{ resource: API }] })
    assert.equal((await delegateTo(plain, tokens.access_token)).status, 400)
    const tenant = await server.manage('POST', '/v1/tenants', { name: 'other' })
    const foreign = await newAgent({ tenant: tenant.id })
    assert.equal((await delegateTo(foreign, tokens.access_token)).body.error, 'invalid_grant')
    const idToken = await delegateTo(agent, String(tokens.id_token))
    assert.deepEqual([idToken.status, idToken.body.error], [400, 'invalid_grant'])
    const byKey = await server.form('/token', {
      grant_type: EXCHANGE,
      client_id: 'api-key',
      subject_token: tokens.access_token,
      subject_token_type: ACCESS_TOKEN,
    })
    assert.equal(byKey.status, 400)
  })
})
