import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
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
import { Browser } from '../../test/browser.ts'
import { configFor, newUser } from '../../test/sign-in-as.ts'

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'
const ASKED = 'openid orders:read orders:write orders:refund'

onBothDatabases('members and their roles', (fresh) => {
  let server: OAuthServer
  let resource: Json
  let config: openid.Configuration
  let tenants: Json[]
  let count = 0
  before(async () => {
    server = await openOAuthServer(await fresh())
    resource = await newResource(server, { scopes_by_role: true })
    tenants = []
    for (const name of ['Anvils', 'Bells']) tenants.push(await server.manage('POST', '/v1/tenants', { name }))
    // Of no tenant: for all of them.
    const client = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
      tenant: null,
    })
    config = await configFor(server, client)
  })
  after(() => server.close())

  const setRole = (name: string, scopes: readonly string[]) =>
    server.manage('PUT', `/v1/roles/${name}`, { scopes: { [API]: scopes } })
  /** A member of both tenants, with other roles in each. */
  async function member(first: readonly string[], second: readonly string[]): Promise<Json> {
    const user = await newUser(server, `user${count++}`, tenants[0].id)
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenants[0].id}`, { roles: first })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenants[1].id}`, { roles: second })
    return user
  }
  async function tokensFor(user: Json, tenant: Json) {
    const browser = new Browser(server)
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: ASKED,
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const consent = await browser.submit(await browser.visit(url.href), {
      identifier: user.username,
      password: PASSWORD,
    })
    assert.match(consent.text, /For which organization/)
    assert.match(consent.text, /as much as your role in the organization allows/)
    const page = await browser.submit(consent, { decision: 'allow', tenant: tenant.id })
    return openid.authorizationCodeGrant(config, new URL(page.url), { pkceCodeVerifier })
  }
  const verify = (token: unknown): Promise<Json> =>
    server.manage('POST', '/v1/verify', { credential: token, resource: API })
  async function eventually(token: unknown, code: string): Promise<void> {
    for (let round = 0; round < 50 && (await verify(token)).valid; round++)
      await new Promise((resolve) => setTimeout(resolve, 30))
    assert.equal((await verify(token)).code, code)
  }

  it('limit what a token may do in the tenant that was chosen', async () => {
    await setRole('clerk', ['orders:read'])
    await setRole('cashier', ['orders:read', 'orders:refund'])
    const user = await member(['clerk', 'undefined'], ['cashier'])
    const inFirst = await tokensFor(user, tenants[0])
    assert.equal(inFirst.scope, 'orders:read')
    const claims = claimsOf(inFirst.access_token)
    assert.deepEqual(
      [claims.tenant, claims.roles, claims.scope],
      [tenants[0].id, ['clerk', 'undefined'], 'orders:read'],
    )
    const { principal } = await verify(inFirst.access_token)
    assert.deepEqual(
      [principal.tenant, principal.roles, principal.scopes],
      [tenants[0].id, ['clerk', 'undefined'], ['orders:read']],
    )
    const inSecond = claimsOf((await tokensFor(user, tenants[1])).access_token)
    assert.deepEqual([inSecond.tenant, inSecond.scope], [tenants[1].id, 'orders:read orders:refund'])
    const without = claimsOf((await tokensFor(await member([], []), tenants[0])).access_token)
    assert.deepEqual([without.scope, without.roles], [undefined, undefined])
  })

  it('count anew at each refresh, with no new consent', async () => {
    await setRole('growing', ['orders:read'])
    const tokens = await tokensFor(await member(['growing'], []), tenants[0])
    await setRole('growing', ['orders:read', 'orders:write'])
    assert.equal((await verify(tokens.access_token)).valid, true, 'what was gained ends nothing')
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.equal(refreshed.scope, 'orders:read orders:write')
  })

  it('end what was issued when they lose a scope, for those who hold them and nobody else', async () => {
    await setRole('lo_st', ['orders:read', 'orders:write'])
    await setRole('loXst', ['orders:read', 'orders:write'])
    const [holder, other] = [await member(['clerk', 'lo_st'], []), await member(['loXst'], ['clerk'])]
    const [lost, kept] = [await tokensFor(holder, tenants[0]), await tokensFor(other, tenants[0])]
    await setRole('lo_st', ['orders:read'])
    await eventually(lost.access_token, 'revoked')
    await assert.rejects(openid.refreshTokenGrant(config, String(lost.refresh_token)))
    assert.equal((await verify(kept.access_token)).valid, true)
    assert.equal(claimsOf((await tokensFor(holder, tenants[0])).access_token).scope, 'orders:read')

    assert.equal((await server.ask('DELETE', '/v1/roles/loXst')).status, 204)
    await eventually(kept.access_token, 'revoked')
    assert.equal(claimsOf((await tokensFor(other, tenants[0])).access_token).scope, undefined)
  })

  it('limit nothing where the resource does not say so, and opaque tokens as well', async () => {
    await setRole('clerk', ['orders:read'])
    const user = await member(['clerk'], [])
    const at = `/v1/resources/${resource.id}`
    await server.manage('PATCH', at, { access_token_format: 'opaque' })
    const opaque = await tokensFor(user, tenants[0])
    assert.deepEqual((await verify(opaque.access_token)).principal.scopes, ['orders:read'])
    await server.manage('PATCH', at, { access_token_format: 'jwt', scopes_by_role: false })
    const refreshed = await openid.refreshTokenGrant(config, String(opaque.refresh_token))
    assert.equal(claimsOf(refreshed.access_token).scope, 'orders:read orders:write orders:refund')
    await server.manage('PATCH', at, { scopes_by_role: true })
  })

  it('are made by operators of the deployment, of scopes that there are', async () => {
    const faulty = await server.ask('PUT', '/v1/roles/x', { scopes: { [API]: ['orders:none'] } })
    assert.deepEqual([faulty.status, faulty.body.code], [400, 'invalid_request'])
    const nowhere = await server.ask('PUT', '/v1/roles/x', { scopes: { 'https://no.test': ['a'] } })
    assert.equal(nowhere.status, 404)
    assert.equal((await server.ask('PUT', '/v1/roles/a%20b', { scopes: {} })).status, 400)
    assert.equal((await server.ask('DELETE', '/v1/roles/none')).status, 404)
    const operator = await server.manage('POST', '/v1/operators', {
      name: 'of a tenant',
      tenant: tenants[0].id,
      scopes: ['users:read', 'users:write'],
    })
    const refused = await server.ask('PUT', '/v1/roles/clerk', { scopes: {} }, operator.key)
    assert.equal(refused.status, 403)
    assert.equal((await server.ask('DELETE', '/v1/roles/clerk', undefined, operator.key)).status, 403)
    const clerk = await server.manage('GET', '/v1/roles/clerk')
    assert.deepEqual(clerk.scopes, { [API]: ['orders:read'] })
  })
})
