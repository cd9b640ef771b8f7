import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
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

onBothDatabases('client credentials', (fresh) => {
  let server: OAuthServer
  let client: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    client = await newClient(server, {
      resources: [{ resource: API, scopes: ['orders:read', 'orders:write'] }],
    })
  })
  after(() => server.close())

  const discover = (id: string, secret: string) =>
    openid.discovery(new URL(server.issuer), id, secret, undefined, {
      execute: [openid.allowInsecureRequests],
    })
  const askToken = (fields: Record<string, string>, who: Json = client) =>
    server.form('/token', { grant_type: 'client_credentials', ...fields }, basic(who.id, who.client_secret))

  it('gives openid-client a token for its API, with every claim that verifiers need', async () => {
    const config = await discover(client.id, client.client_secret)
    const tokens = await openid.clientCredentialsGrant(config, { resource: API, scope: 'orders:read' })
    const claims = claimsOf(tokens.access_token)
    assert.equal(claims.iss, server.issuer)
    assert.equal(claims.aud, API)
    assert.equal(claims.sub, client.id)
    assert.equal(claims.client_id, client.id)
    assert.equal(claims.scope, 'orders:read')
    assert.equal(claims.tenant, client.tenant)
    assert.ok(Number.isSafeInteger(claims.rsn))
    assert.equal(claims.exp - claims.iat, 900)
    assert.equal(tokens.expires_in, 900)
    const header = JSON.parse(
      Buffer.from(tokens.access_token.split('.')[0] as string, 'base64url').toString(),
    )
    assert.equal(header.typ, 'at+jwt')
    assert.equal(header.alg, 'ES256')
  })

  it('gives a client of one API that API and all its own scopes when it names nothing', async () => {
    const { status, body } = await askToken({})
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.scope, 'orders:read orders:write')
    assert.equal(claimsOf(body.access_token).aud, API)
  })

  it('refuses a scope or an API that the client may not ask for', async () => {
    const scope = await askToken({ scope: 'orders:read orders:refund' })
    assert.deepEqual([scope.status, scope.body.error], [400, 'invalid_scope'])
    for (const resource of [
      'https://other.example.test/',
      'urn:postern:management',
      'not a uri',
      `${API}#x`,
    ]) {
      const { status, body } = await askToken({ resource })
      assert.deepEqual([status, body.error], [400, 'invalid_target'], resource)
    }
    const without = await newClient(server)
    const none = await askToken({}, without)
    assert.deepEqual([none.status, none.body.error], [400, 'invalid_target'])
  })

  it('takes every secret that is good, and none that was revoked', async () => {
    const rotating = await newClient(server, { resources: [{ resource: API }] })
    const added = await server.manage('POST', `/v1/clients/${rotating.id}/secrets`, {})
    const ask = async (secret: string): Promise<number> =>
      (await askToken({}, { id: rotating.id, client_secret: secret })).status
    assert.equal(await ask(rotating.client_secret), 200)
    assert.equal(await ask(added.client_secret), 200)
    await server.manage('POST', `/v1/clients/${rotating.id}/secrets/${rotating.secrets[0].id}/revoke`, {})
    assert.equal(await ask(rotating.client_secret), 401)
    assert.equal(await ask(added.client_secret), 200)
    assert.equal(await ask('kept as digests'), 401)
    await server.manage('PATCH', `/v1/clients/${rotating.id}`, { disabled: true })
    assert.equal(await ask(added.client_secret), 401)
  })

  it('answers the same to an unknown client and to a wrong secret', async () => {
    const unknown = await askToken({}, { id: 'cli_0000000000000000000000', client_secret: 'x' })
    const wrong = await askToken({}, { id: client.id, client_secret: 'cs_live_wrong' })
    assert.deepEqual([unknown.status, unknown.body], [wrong.status, wrong.body])
    assert.equal(unknown.status, 401)
    assert.equal(unknown.body.error, 'invalid_client')
  })

  it('refuses repeated parameters, GET, wrong types, other grants, and 1 MB of scope', async () => {
    const twice = new URLSearchParams([
      ['grant_type', 'client_credentials'],
      ['scope', 'orders:read'],
      ['scope', 'orders:write'],
    ])
    const repeated = await server.form('/token', twice, basic(client.id, client.client_secret))
    assert.deepEqual([repeated.status, repeated.body.error], [400, 'invalid_request'])
    assert.equal((await fetch(`${server.address}/token?grant_type=client_credentials`)).status, 405)
    const json = await fetch(`${server.address}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...basic(client.id, client.client_secret) },
      body: JSON.stringify({ grant_type: 'client_credentials' }),
    })
    assert.equal(json.status, 400)
    for (const grant_type of ['password', 'implicit', 'authorization_code', 'nonsense']) {
      const { status } = await askToken({ grant_type })
      assert.equal(status, 400, grant_type)
    }
    const gone = await askToken({ grant_type: 'password' })
    assert.match(gone.body.error_description, /PKCE/)
    const large = await askToken({ scope: 'x '.repeat(500_000) })
    assert.deepEqual([large.status, large.body.error], [400, 'invalid_request'])
    const both = await server.form(
      '/token',
      { grant_type: 'client_credentials', client_id: client.id, client_secret: client.client_secret },
      basic(client.id, client.client_secret),
    )
    assert.deepEqual([both.status, both.body.error], [400, 'invalid_request'])
  })

  it('says where everything is by the issuer, whatever the Host and the forwarded headers claim', async () => {
    for (const path of ['/.well-known/openid-configuration', '/.well-known/oauth-authorization-server']) {
      const answer = await fetch(server.address + path, {
        headers: {
          'x-forwarded-host': 'evil.example',
          'x-forwarded-proto': 'https',
          forwarded: 'host=evil.example',
        },
      })
      const metadata = (await answer.json()) as Json
      assert.equal(metadata.issuer, server.issuer)
      assert.ok(!JSON.stringify(metadata).includes('evil.example'))
      assert.equal(metadata.token_endpoint, `${server.issuer}/token`)
      assert.equal(metadata.jwks_uri, `${server.issuer}/jwks`)
      assert.deepEqual(metadata.response_types_supported, ['code'])
      assert.deepEqual(metadata.code_challenge_methods_supported, ['S256'])
      assert.ok(!metadata.token_endpoint_auth_methods_supported.includes('client_secret_jwt'))
      assert.ok(!JSON.stringify(metadata).includes('HS256'))
      assert.equal(metadata.authorization_response_iss_parameter_supported, true)
    }
  })

  it('keeps signing with the new key after a rotation, without a restart', async () => {
    const { data } = await server.manage('GET', '/v1/signing-keys')
    const active = data.find((key: Json) => key.state === 'active' && key.algorithm === 'ES256')
    const before = await askToken({})
    await server.manage('POST', `/v1/signing-keys/${active.id}/revoke`, { reason: 'test' })
    const after = await askToken({})
    const kidOf = (jwt: string): string =>
      JSON.parse(Buffer.from(jwt.split('.')[0] as string, 'base64url').toString()).kid
    assert.equal(kidOf(before.body.access_token), active.id)
    assert.notEqual(kidOf(after.body.access_token), active.id)
    const introspected = await server.form(
      '/introspect',
      { token: before.body.access_token },
      basic(client.id, client.client_secret),
    )
    assert.deepEqual(introspected.body, { active: false })
  })

  it('introspects a JWT for its own client and for whoever serves the API, and for nobody else', async () => {
    const { body } = await askToken({ scope: 'orders:read' })
    const api = await newClient(server, { introspects: [API] })
    const stranger = await newClient(server)
    const ask = async (who: Json) =>
      (await server.form('/introspect', { token: body.access_token }, basic(who.id, who.client_secret))).body
    for (const who of [client, api]) {
      const told = await ask(who)
      assert.equal(told.active, true)
      assert.equal(told.scope, 'orders:read')
      assert.equal(told.client_id, client.id)
      assert.equal(told.token_type, 'Bearer')
      assert.equal(told.rsn, undefined)
    }
    assert.deepEqual(await ask(stranger), { active: false })
    const anonymous = await server.form('/introspect', { token: body.access_token })
    assert.equal(anonymous.status, 400)
    const wrong = await server.form('/introspect', { token: body.access_token }, basic(api.id, 'wrong'))
    assert.equal(wrong.status, 401)
  })

  it('revokes a JWT for its own client alone, and writes the feed', async () => {
    const { body } = await askToken({})
    const { jti } = claimsOf(body.access_token)
    const stranger = await newClient(server)
    const refused = await server.form(
      '/revoke',
      { token: body.access_token },
      basic(stranger.id, stranger.client_secret),
    )
    assert.equal(refused.status, 400)
    const own = basic(client.id, client.client_secret)
    const introspect = async () =>
      (await server.form('/introspect', { token: body.access_token }, own)).body.active
    assert.equal(await introspect(), true)
    const revoked = await server.form('/revoke', { token: body.access_token }, own)
    assert.deepEqual([revoked.status, revoked.body], [200, ''])
    assert.equal(await introspect(), false)
    assert.equal((await server.form('/revoke', { token: body.access_token }, own)).status, 200)
    assert.equal((await server.form('/revoke', { token: 'no such token' }, own)).status, 200)
    const rows = await server.deployment.storage
      .read<{ feed_rows: { kind: string; key: string } }>()
      .selectFrom('feed_rows')
      .select('kind')
      .where('key', '=', jti)
      .execute()
    assert.deepEqual(
      rows.map(({ kind }) => kind),
      ['token'],
    )
  })

  it('ends every token of a client that is disabled', async () => {
    const ending = await newClient(server, { resources: [{ resource: API }] })
    const api = await newClient(server, { introspects: [API] })
    const { body } = await askToken({}, ending)
    const active = async () =>
      (await server.form('/introspect', { token: body.access_token }, basic(api.id, api.client_secret))).body
        .active
    assert.equal(await active(), true)
    await server.manage('PATCH', `/v1/clients/${ending.id}`, { disabled: true })
    assert.equal(await active(), false)
    await server.manage('PATCH', `/v1/clients/${ending.id}`, { disabled: false })
    assert.equal(await active(), false)
    assert.equal((await askToken({}, ending)).status, 200)
  })
})
