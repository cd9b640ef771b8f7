/** Tokens that limits count say so, in the claim `lim`: a verifier that checks them by itself sees no limits. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
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

const RATE = [{ type: 'rate', name: 'r', limit: 100, window_seconds: 1 }]

onBothDatabases('tokens of limited callers', (fresh) => {
  let server: OAuthServer
  let resource: Json
  let client: Json
  let key: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    resource = await newResource(server)
    client = await newClient(server, { resources: [{ resource: API, scopes: ['orders:read'] }] })
    key = await server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: 'customer-1',
      resource: API,
      scopes: ['orders:read'],
    })
  })
  after(() => server.close())

  const ofClient = async (node = server): Promise<Json> => {
    const headers = basic(client.id, client.client_secret)
    const { body } = await node.form('/token', { grant_type: 'client_credentials' }, headers)
    return claimsOf(body.access_token)
  }
  const ofKey = async (): Promise<Json> => {
    const { body } = await server.form('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: 'api-key',
      subject_token: key.key,
      subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
    })
    return claimsOf(body.access_token)
  }

  it('say so for every target that they are charged to, and no longer once it has no limits', async () => {
    const targets: [string, () => Promise<Json>][] = [
      [`client/${client.id}`, ofClient],
      [`owner/${client.id}`, ofClient],
      [`tenant/${client.tenant}`, ofClient],
      [`resource/${resource.id}`, ofClient],
      [`key/${key.id}`, ofKey],
      ['owner/customer-1', ofKey],
    ]
    for (const [target, claims] of targets) {
      assert.equal((await claims()).lim, undefined, `${target} before`)
      await server.manage('PUT', `/v1/limits/${target}`, { limits: RATE })
      assert.equal((await claims()).lim, true, target)
      assert.equal((await server.ask('DELETE', `/v1/limits/${target}`)).status, 204)
      assert.equal((await claims()).lim, undefined, `${target} after`)
    }
  })

  it('say nothing of limits that count for others', async () => {
    await server.manage('PUT', `/v1/limits/key/${key.id}`, { limits: RATE })
    assert.equal((await ofClient()).lim, undefined)
    assert.equal((await ofKey()).lim, true)
    await server.ask('DELETE', `/v1/limits/key/${key.id}`)
  })

  it('say so for a plan that has no limits yet', async () => {
    const plan = await server.manage('POST', '/v1/plans', { name: 'empty', limits: [] })
    await server.manage('PUT', `/v1/limits/client/${client.id}`, { plan: plan.id })
    assert.equal((await ofClient()).lim, true)
    await server.ask('DELETE', `/v1/limits/client/${client.id}`)
  })

  it('say so at once on a node that had seen that nothing was limited', async () => {
    const other = await server.secondNode()
    try {
      assert.equal((await ofClient(other)).lim, undefined)
      for (let round = 0; round < 5; round++) {
        await server.manage('PUT', `/v1/limits/client/${client.id}`, { limits: RATE })
        assert.equal((await ofClient(other)).lim, true)
        await server.ask('DELETE', `/v1/limits/client/${client.id}`)
        assert.equal((await ofClient(other)).lim, undefined)
      }
    } finally {
      await other.close()
    }
  })

  it('show the claim to nobody who introspects them', async () => {
    const watcher = await newClient(server, { introspects: [API] })
    await server.manage('PUT', `/v1/limits/client/${client.id}`, { limits: RATE })
    const headers = basic(client.id, client.client_secret)
    const { body } = await server.form('/token', { grant_type: 'client_credentials' }, headers)
    const introspected = await server.form(
      '/introspect',
      { token: body.access_token },
      basic(watcher.id, watcher.client_secret),
    )
    assert.equal(introspected.body.active, true)
    assert.equal('lim' in introspected.body, false)
  })
})
