/** openid-client, as it comes, through what no other test takes it through. */
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
import { configFor, newUser, signInAs } from '../../test/sign-in-as.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
const API_KEY = 'urn:postern:params:oauth:token-type:api_key'
const CALLBACK = 'https://app.example.test/callback'

onBothDatabases('openid-client', (fresh) => {
  let server: OAuthServer
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
  })
  after(() => server.close())

  const discover = (client: Json, auth: openid.ClientAuth) =>
    openid.discovery(new URL(server.issuer), client.id, undefined, auth, {
      execute: [openid.allowInsecureRequests],
    })
  const resources = [{ resource: API }]

  it('client credentials with the secret in the header and in the body', async () => {
    for (const auth_method of ['client_secret_basic', 'client_secret_post']) {
      const client = await newClient(server, { auth_method, resources })
      for (const auth of [openid.ClientSecretBasic, openid.ClientSecretPost]) {
        const config = await discover(client, auth(client.client_secret))
        const tokens = await openid.clientCredentialsGrant(config, { resource: API, scope: 'orders:read' })
        assert.equal(claimsOf(tokens.access_token).sub, client.id)
        assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, true)
        await openid.tokenRevocation(config, tokens.access_token)
        assert.equal((await openid.tokenIntrospection(config, tokens.access_token)).active, false)
      }
    }
  })

  it('token exchange: an API key for a token', async () => {
    const key = await server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: 'customer-1',
      resource: API,
      scopes: ['orders:read', 'orders:write'],
    })
    const config = await discover({ id: 'api-key' }, openid.None())
    const tokens = await openid.genericGrantRequest(config, EXCHANGE, {
      subject_token: key.key,
      subject_token_type: API_KEY,
      resource: API,
      scope: 'orders:read',
    })
    assert.equal(claimsOf(tokens.access_token).sub, 'customer-1')
    assert.equal(tokens.scope, 'orders:read')
  })

  it('token exchange: a user for an agent, and that one for the next, each of which can be cut off', async () => {
    const web = await newClient(server, { kind: 'web', redirect_uris: [CALLBACK], resources })
    const user = await newUser(server, 'ada', web.tenant)
    const own = await configFor(server, web)
    const { tokens } = await signInAs(server, own, 'ada', CALLBACK, {
      scope: 'openid orders:read orders:write',
    })
    const agents = await Promise.all(
      [1, 2].map(async () => {
        const agent = await newClient(server, { grant_types: [EXCHANGE], resources })
        return { agent, config: await discover(agent, openid.ClientSecretBasic(agent.client_secret)) }
      }),
    )
    const held = [tokens.access_token]
    for (const { config } of agents) {
      const exchanged = await openid.genericGrantRequest(config, EXCHANGE, {
        subject_token: String(held.at(-1)),
        subject_token_type: ACCESS_TOKEN,
        scope: 'orders:read',
      })
      held.push(exchanged.access_token)
    }
    const [first, second] = agents as [(typeof agents)[0], (typeof agents)[0]]
    const last = claimsOf(String(held[2]))
    assert.equal(last.sub, user.id)
    assert.deepEqual(last.act, { sub: second.agent.id, act: { sub: first.agent.id } })
    assert.equal(last.scope, 'orders:read')
    assert.equal(new Set(held.map((token) => claimsOf(token).jti)).size, 3)
    assert.equal(new Set(held.map((token) => claimsOf(token).gid)).size, 3)

    const verdict = async (token: unknown): Promise<boolean> =>
      (await server.manage('POST', '/v1/verify', { credential: token, resource: API })).valid
    assert.deepEqual(await Promise.all(held.map(verdict)), [true, true, true])
    await openid.tokenRevocation(first.config, String(held[1]))
    for (let round = 0; round < 50 && (await verdict(held[2])); round++)
      await new Promise((resolve) => setTimeout(resolve, 30))
    assert.deepEqual(await Promise.all(held.map(verdict)), [true, false, false])
  })
})
