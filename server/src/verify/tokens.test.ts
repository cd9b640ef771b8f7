import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  basic,
  claimsOf,
  newClient,
  newResource,
  type OAuthServer,
  openOAuthServer,
} from '../../test/oauth-server.ts'

onBothDatabases('access tokens at /v1/verify', (fresh) => {
  let server: OAuthServer
  let client: { id: string; secret: string }
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    const made = await newClient(server, { resources: [{ resource: API, scopes: ['orders:read'] }] })
    client = { id: made.id, secret: made.client_secret ?? made.secret?.secret ?? made.secrets?.[0]?.secret }
  })
  after(() => server.close())

  const token = async (): Promise<string> => {
    const answer = await server.form(
      '/token',
      { grant_type: 'client_credentials', resource: API, scope: 'orders:read' },
      basic(client.id, client.secret),
    )
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body.access_token
  }
  const verify = (credential: string, more: object = {}) =>
    server.manage('POST', '/v1/verify', { credential, resource: API, ...more })

  it('answer one Principal, as keys do', async () => {
    const answer = await verify(await token(), { scopes: ['orders:read'] })
    assert.equal(answer.valid, true)
    assert.equal(answer.principal.credential.type, 'access_token')
    assert.equal(answer.principal.client_id, client.id)
    assert.deepEqual(answer.principal.scopes, ['orders:read'])
    assert.equal((await verify(await token(), { scopes: ['orders:write'] })).code, 'insufficient_scope')
    assert.equal((await verify(await token(), { resource: 'https://other.example' })).code, 'wrong_resource')
  })

  it('answer with what they depend on', async () => {
    const held = await token()
    const { jti, tenant } = claimsOf(held)
    const { kid } = JSON.parse(Buffer.from(held.split('.')[0] as string, 'base64url').toString())
    const { refs } = await verify(held)
    for (const ref of [
      `token:${jti}`,
      `signing_key:${kid}`,
      `tenant:${tenant}`,
      `client:${client.id}`,
      `subject:${client.id}`,
    ])
      assert.ok(refs.includes(ref), ref)
  })

  it('are refused at once when they are revoked, also when they were cached', async () => {
    const [one, other] = [await token(), await token()]
    assert.equal((await verify(one)).valid, true)
    assert.equal((await verify(other)).valid, true)
    const revoked = await server.form('/revoke', { token: one }, basic(client.id, client.secret))
    assert.equal(revoked.status, 200)
    assert.equal((await verify(one)).code, 'revoked')
    assert.equal((await verify(other)).valid, true)
  })

  it('are refused when one letter of the signature is another', async () => {
    const good = await token()
    const letter = good.at(-2) === 'A' ? 'B' : 'A'
    assert.equal((await verify(`${good.slice(0, -2)}${letter}${good.slice(-1)}`)).valid, false)
  })

  it('do not manage Postern', async () => {
    assert.equal((await server.ask('GET', '/v1/keys', undefined, await token())).status, 401)
  })

  it('end with their client', async () => {
    const held = await token()
    assert.equal((await verify(held)).valid, true)
    await server.manage('DELETE', `/v1/clients/${client.id}`)
    assert.equal((await verify(held)).code, 'revoked')
  })
})
