import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { API, newClient, newResource, openOAuthServer, type OAuthServer } from '../../test/oauth-server.ts'

const WEB = { kind: 'web', redirect_uris: ['https://app.example/callback'] }

onBothDatabases('clients', (fresh) => {
  let server: OAuthServer
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
  })
  after(() => server.close())

  const refused = async (input: Record<string, unknown>): Promise<string> => {
    const { status, body } = await server.ask('POST', '/v1/clients', { name: 'x', ...input })
    assert.equal(status, 400, JSON.stringify(body))
    return body.errors[0].pointer
  }

  it('gives each kind its own defaults', async () => {
    const web = await newClient(server, WEB)
    assert.match(web.id, /^cli_/)
    assert.deepEqual(web.grant_types, ['authorization_code', 'refresh_token'])
    assert.equal(web.auth_method, 'client_secret_basic')
    assert.match(web.client_secret, /^cs_live_\w{43}$/)

    const native = await newClient(server, { kind: 'native', redirect_uris: ['com.example.app:/callback'] })
    assert.equal(native.auth_method, 'none')
    assert.equal(native.client_secret, undefined)

    const browser = await newClient(server, { kind: 'browser', redirect_uris: ['https://spa.example/cb'] })
    assert.deepEqual(browser.cors_origins, ['https://spa.example'])

    const service = await newClient(server)
    assert.deepEqual(service.grant_types, ['client_credentials'])
  })

  it('never shows a secret again', async () => {
    const web = await newClient(server, WEB)
    const read = await server.manage('GET', `/v1/clients/${web.id}`)
    assert.equal(read.client_secret, undefined)
    assert.ok(!JSON.stringify(read).includes(web.client_secret.slice(8, 30)))
  })

  it('refuses redirect URIs that have two readings or that anyone could claim', async () => {
    const wrong: [string, string][] = [
      ['web', 'http://app.example/callback'],
      ['web', 'https://app.example/callback#here'],
      ['web', 'https://*.example/callback'],
      ['web', 'https://user@app.example/callback'],
      ['web', 'https://app.example/a/../callback'],
      ['web', 'https://app.example/a/%2e%2e/callback'],
      ['web', 'https://app.example\\@evil.example'],
      ['web', 'https://app.example/call back'],
      ['web', '/callback'],
      ['web', 'javascript:alert(1)'],
      ['native', 'myapp:/callback'],
      ['native', 'http://app.example/callback'],
      ['native', 'https://localhost/callback'],
      ['native', 'javascript:alert(1)'],
      ['service', 'https://app.example/callback'],
    ]
    for (const [kind, uri] of wrong)
      assert.equal(await refused({ kind, redirect_uris: [uri] }), '/redirect_uris', `${kind} ${uri}`)
  })

  it('refuses what a kind cannot be trusted with', async () => {
    const uris = ['https://spa.example/cb']
    assert.equal(
      await refused({ kind: 'browser', redirect_uris: uris, grant_types: ['client_credentials'] }),
      '/grant_types',
    )
    assert.equal(
      await refused({ kind: 'browser', redirect_uris: uris, auth_method: 'client_secret_basic' }),
      '/auth_method',
    )
    assert.equal(await refused({ ...WEB, auth_method: 'none' }), '/auth_method')
    assert.equal(await refused({ ...WEB, cors_origins: ['https://app.example'] }), '/cors_origins')
    assert.equal(
      await refused({ kind: 'browser', redirect_uris: uris, cors_origins: ['https://spa.example/path'] }),
      '/cors_origins',
    )
    assert.equal(await refused({ kind: 'service', auth_method: 'private_key_jwt' }), '/jwks')
    assert.equal(
      await refused({
        kind: 'service',
        auth_method: 'private_key_jwt',
        jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'b', d: 'c' }] },
      }),
      '/jwks/keys/0',
    )
    assert.equal(
      await refused({ kind: 'service', auth_method: 'private_key_jwt', jwks_uri: 'http://keys.example/' }),
      '/jwks_uri',
    )
    assert.equal(await refused({ kind: 'service', tenant: null }), '/tenant')
    assert.equal(
      await refused({ kind: 'native', redirect_uris: ['com.example.app:/cb'], first_party: true }),
      '/first_party',
    )
    assert.equal(
      await refused({ kind: 'service', resources: [{ resource: API, scopes: ['orders:nope'] }] }),
      '/resources',
    )
  })

  it('keeps several secrets good at once, and ends the old ones after the overlap', async () => {
    const client = await newClient(server)
    const added = await server.manage('POST', `/v1/clients/${client.id}/secrets`, {
      end_others_in_seconds: 3600,
    })
    assert.match(added.client_secret, /^cs_live_/)
    const read = await server.manage('GET', `/v1/clients/${client.id}`)
    assert.equal(read.secrets.length, 2)
    assert.ok(Date.parse(read.secrets[0].expires_at) > Date.now() + 3_500_000)
    assert.equal(read.secrets[1].expires_at, null)
    for (let more = 0; more < 3; more++) await server.manage('POST', `/v1/clients/${client.id}/secrets`, {})
    const sixth = await server.ask('POST', `/v1/clients/${client.id}/secrets`, {})
    assert.equal(sixth.status, 409)
    const gone = await server.manage('POST', `/v1/clients/${client.id}/secrets/${added.id}/revoke`, {})
    assert.equal(gone.secrets.length, 4)
  })

  it('lets a tenant operator see and make clients of that tenant alone, none of them first-party', async () => {
    const tenant = await server.manage('POST', '/v1/tenants', { name: 'customer' })
    const operator = await server.manage('POST', '/v1/operators', {
      name: 'theirs',
      tenant: tenant.id,
      scopes: ['clients:read', 'clients:write'],
    })
    const ours = await newClient(server)
    const everyones = await newClient(server, { ...WEB, tenant: null })
    const ask = (method: string, path: string, body?: unknown) => server.ask(method, path, body, operator.key)
    for (const { id } of [ours, everyones]) {
      assert.equal((await ask('GET', `/v1/clients/${id}`)).status, 404)
      assert.equal((await ask('PATCH', `/v1/clients/${id}`, { name: 'mine' })).status, 404)
      assert.equal((await ask('DELETE', `/v1/clients/${id}`)).status, 404)
      assert.equal((await ask('POST', `/v1/clients/${id}/secrets`, {})).status, 404)
    }
    const made = await ask('POST', '/v1/clients', { name: 'theirs', kind: 'service' })
    assert.equal(made.body.tenant, tenant.id)
    assert.equal((await ask('POST', '/v1/clients', { ...WEB, name: 'x', tenant: null })).status, 403)
    assert.equal((await ask('POST', '/v1/clients', { ...WEB, name: 'x', first_party: true })).status, 403)
    assert.equal((await ask('PATCH', `/v1/clients/${made.body.id}`, { first_party: true })).status, 403)
    const listed = await ask('GET', '/v1/clients')
    assert.deepEqual(
      listed.body.data.map((client: { id: string }) => client.id),
      [made.body.id],
    )
  })

  it('writes the feed when a client is disabled, deleted, or its secret was compromised', async () => {
    const rows = async (id: string): Promise<string[]> =>
      (
        await server.deployment.storage
          .read<{ feed_rows: { seq: number; kind: string; key: string; effect: string } }>()
          .selectFrom('feed_rows')
          .select(['kind', 'effect'])
          .where('key', '=', id)
          .orderBy('seq')
          .execute()
      ).map(({ kind, effect }) => `${kind} ${effect}`)
    const client = await newClient(server)
    await server.manage('PATCH', `/v1/clients/${client.id}`, { disabled: true })
    await server.manage('PATCH', `/v1/clients/${client.id}`, { disabled: false })
    await server.manage('POST', `/v1/clients/${client.id}/secrets/${client.secrets[0].id}/revoke`, {
      compromised: true,
    })
    await server.manage('DELETE', `/v1/clients/${client.id}`)
    assert.deepEqual(await rows(client.id), ['client revoked', 'client revoked', 'client deleted'])
    assert.equal((await server.ask('GET', `/v1/clients/${client.id}`)).status, 404)
  })
})
