import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
import { onBothDatabases } from '../../test/databases.ts'
import { generateKey } from '../api-keys/index.ts'
import {
  API,
  basic,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'
const FORM = /^at_live_[0-9A-Za-z]{50}$/

onBothDatabases('opaque access tokens', (fresh) => {
  let server: OAuthServer
  let service: Json
  let resource: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    resource = await newResource(server, { access_token_format: 'opaque' })
    service = await newClient(server, { resources: [{ resource: API }] })
  })
  after(() => server.close())

  const issue = async (client: Json = service): Promise<string> => {
    const fields = { grant_type: 'client_credentials', scope: 'orders:read' }
    const { status, body } = await server.form('/token', fields, basic(client.id, client.client_secret))
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }
  const verify = (credential: string): Promise<Json> =>
    server.manage('POST', '/v1/verify', { credential, resource: API })
  const introspect = async (token: string, who: Json) =>
    (await server.form('/introspect', { token }, basic(who.id, who.client_secret))).body

  /** A user's tokens for a client, through sign-in and consent. */
  const authorize = async (
    more: Record<string, unknown> = {},
    asked: { scope: string; resource: string | undefined } = {
      scope: 'openid orders:read orders:write',
      resource: API,
    },
  ) => {
    const client = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
      ...more,
    })
    const username = `user-${client.id}`
    const user = await server.manage('POST', '/v1/users', { username, name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${client.tenant}`, { roles: ['buyer'] })
    const config = await openid.discovery(
      new URL(server.issuer),
      client.id,
      undefined,
      openid.ClientSecretBasic(client.client_secret),
      { execute: [openid.allowInsecureRequests] },
    )
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: asked.scope,
      ...(asked.resource !== undefined && { resource: asked.resource }),
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Browser(server)
    const signedIn = await browser.submit(await browser.visit(url.href), {
      identifier: username,
      password: PASSWORD,
    })
    const callback = await browser.submit(signedIn, { decision: 'allow' })
    const tokens = await openid.authorizationCodeGrant(config, new URL(callback.url), { pkceCodeVerifier })
    return { client, user, config, tokens }
  }

  it('are what the resource asks for, and verify answers them like every other credential', async () => {
    const token = await issue()
    assert.match(token, FORM)
    const answer = await verify(token)
    assert.equal(answer.valid, true, JSON.stringify(answer))
    assert.equal(answer.principal.sub, service.id)
    assert.equal(answer.principal.tenant, service.tenant)
    assert.deepEqual(answer.principal.scopes, ['orders:read'])
    assert.equal(answer.principal.credential.type, 'access_token')
    assert.notEqual(answer.principal.credential.id, token)
    assert.equal(answer.cache_seconds, 60)
    assert.equal((await verify(token)).principal.credential.id, answer.principal.credential.id)
    const elsewhere = await server.manage('POST', '/v1/verify', {
      credential: token,
      resource: 'https://x.test',
    })
    assert.equal(elsewhere.code, 'wrong_resource')
  })

  it('a typing error is malformed, an invented one unknown, one in a URL exposed', async () => {
    const token = await issue()
    const typo = token.slice(0, -1) + (token.endsWith('a') ? 'b' : 'a')
    assert.equal((await verify(typo)).code, 'malformed')
    assert.equal((await verify(generateKey('at', 'live').key)).code, 'unknown')
    const exposed = await server.manage('POST', '/v1/verify', {
      credential: token,
      url: `https://api.example.test/?token=${token}`,
    })
    assert.equal(exposed.code, 'exposed_in_url')
  })

  it('no resource may take their prefix for its keys', async () => {
    const { status } = await server.ask('PATCH', `/v1/resources/${resource.id}`, { key_prefix: 'at' })
    assert.equal(status, 400)
  })

  it('are introspected by their own client, by clients that serve the API and by operator keys bound to it', async () => {
    const token = await issue()
    const api = await newClient(server, { introspects: [API] })
    for (const who of [service, api]) {
      const told = await introspect(token, who)
      assert.equal(told.active, true)
      assert.equal(told.scope, 'orders:read')
      assert.equal(told.iss, server.issuer)
      assert.deepEqual([told.rsn, told.anc], [undefined, undefined])
    }
    assert.deepEqual(await introspect(token, await newClient(server)), { active: false })

    const operator = async (more: Record<string, unknown>): Promise<string> =>
      (await server.manage('POST', '/v1/operators', { name: 'gateway', scopes: ['verify'], ...more })).key
    const ask = (key: string) => server.form('/introspect', { token }, { authorization: `Bearer ${key}` })
    assert.equal((await ask(await operator({ resources: [resource.id] }))).body.active, true)
    const other = await server.manage('POST', '/v1/resources', {
      uri: `https://other-${service.id}.example.test/`,
      name: 'Another',
      scopes: [],
    })
    assert.deepEqual((await ask(await operator({ resources: [other.id] }))).body, { active: false })
    const reader = await operator({ scopes: ['keys:read'] })
    assert.equal((await ask(reader)).status, 403)
    assert.equal((await ask('postern_live_nonsense')).status, 401)
  })

  it('are revoked by their own client: a cached answer ends, and the grant lives on', async () => {
    const { client, config, tokens } = await authorize()
    assert.equal((await verify(tokens.access_token)).valid, true)
    const stranger = await server.form(
      '/revoke',
      { token: tokens.access_token },
      basic(service.id, service.client_secret),
    )
    assert.equal(stranger.status, 400)
    await openid.tokenRevocation(config, tokens.access_token)
    await until(async () => !(await verify(tokens.access_token)).valid)
    assert.deepEqual(await introspect(tokens.access_token, client), { active: false })
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.match(refreshed.access_token, FORM)
    assert.equal((await verify(refreshed.access_token)).valid, true)
  })

  it('end with their client, their user and their grant, in cached answers too', async () => {
    const ends: Record<string, (given: Awaited<ReturnType<typeof authorize>>) => Promise<unknown>> = {
      client: ({ client }) => server.manage('PATCH', `/v1/clients/${client.id}`, { disabled: true }),
      user: ({ user }) => server.manage('POST', `/v1/users/${user.id}/disable`),
      grant: ({ config, tokens }) => openid.tokenRevocation(config, String(tokens.refresh_token)),
    }
    for (const [name, end] of Object.entries(ends)) {
      const given = await authorize()
      const token = given.tokens.access_token
      const before = await verify(token)
      assert.equal(before.valid, true, name)
      assert.equal(before.principal.sub, given.user.id)
      assert.deepEqual(before.principal.roles, ['buyer'])
      assert.match(before.principal.grant_id, /^gra_/)
      await end(given)
      await until(async () => !(await verify(token)).valid, name)
    }
  })

  it('come of token exchange: of a key, and of a user for an agent', async () => {
    const key = await server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: 'customer-1',
      resource: API,
      scopes: ['orders:read'],
    })
    const exchanged = await server.form('/token', {
      grant_type: EXCHANGE,
      client_id: 'api-key',
      subject_token: key.key,
      subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
    })
    assert.match(exchanged.body.access_token, FORM)
    assert.equal((await verify(exchanged.body.access_token)).principal.sub, 'customer-1')
    await server.manage('POST', `/v1/keys/${key.id}/revoke`, {})
    await until(async () => (await verify(exchanged.body.access_token)).code === 'revoked')

    const { config, tokens, user } = await authorize()
    const agent = await newClient(server, { grant_types: [EXCHANGE], resources: [{ resource: API }] })
    const delegated = await server.form(
      '/token',
      {
        grant_type: EXCHANGE,
        subject_token: tokens.access_token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'orders:read',
      },
      basic(agent.id, agent.client_secret),
    )
    assert.equal(delegated.status, 200, JSON.stringify(delegated.body))
    const answer = await verify(delegated.body.access_token)
    assert.equal(answer.principal.sub, user.id)
    assert.deepEqual(answer.principal.act, { sub: agent.id })
    await openid.tokenRevocation(config, tokens.access_token)
    await until(async () => (await verify(delegated.body.access_token)).code === 'revoked')
  })

  it('one that only says who the user is, at our own endpoint, is for no API', async () => {
    const { config, tokens, user } = await authorize({}, { scope: 'openid', resource: undefined })
    assert.match(tokens.access_token, FORM)
    assert.equal((await openid.fetchUserInfo(config, tokens.access_token, user.id)).sub, user.id)
    assert.equal((await verify(tokens.access_token)).code, 'wrong_resource')
  })

  it('are nowhere in the database', async () => {
    const tokens = [await issue(), (await authorize()).tokens.access_token]
    const stored = JSON.stringify(
      await server.deployment.storage
        .read<Record<string, Record<string, unknown>>>()
        .selectFrom('oauth_artifacts')
        .selectAll()
        .execute(),
    )
    for (const token of tokens) assert.ok(!stored.includes(token))
  })
})

/** The feed is heard of a moment later. */
async function until(happens: () => Promise<boolean>, what = 'it'): Promise<void> {
  for (let round = 0; round < 100; round++) {
    if (await happens()) return
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
  assert.fail(`${what} never happened`)
}
