import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
import { onBothDatabases } from '../../test/databases.ts'
import {
  API,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'

const CALLBACK = 'https://app.example.test/callback'
const PASSWORD = 'correct horse battery'

onBothDatabases('ID tokens', (fresh) => {
  let server: OAuthServer
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    const { tenant } = await newClient(server)
    const user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenant}`, { roles: [] })
  })
  after(() => server.close())

  /** Signs in as openid-client does that checks the ID token's signature with the JWKS. */
  const signIn = async (client: Json): Promise<Json> => {
    const config = await openid.discovery(
      new URL(server.issuer),
      client.id,
      { id_token_signed_response_alg: client.id_token_signed_response_alg },
      openid.ClientSecretBasic(client.client_secret),
      { execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks] },
    )
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid orders:read',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    const browser = new Browser(server)
    const page = await browser.submit(await browser.visit(url.href), {
      identifier: 'ada',
      password: PASSWORD,
    })
    const callback = page.url.startsWith(CALLBACK) ? page : await browser.submit(page, { decision: 'allow' })
    const tokens = await openid.authorizationCodeGrant(config, new URL(callback.url), { pkceCodeVerifier })
    const [head = ''] = String(tokens.id_token).split('.')
    return JSON.parse(Buffer.from(head, 'base64url').toString())
  }
  const metadata = async (): Promise<Json> =>
    (await fetch(`${server.address}/.well-known/openid-configuration`)).json()

  for (const alg of ['ES256', 'RS256', 'EdDSA'])
    it(`are signed with ${alg} where the client asks, through rotation and revocation of the key`, async () => {
      const client = await newClient(server, {
        kind: 'web',
        redirect_uris: [CALLBACK],
        resources: [{ resource: API }],
        id_token_signed_response_alg: alg,
      })
      const first = await signIn(client)
      assert.equal(first.alg, alg)
      await server.manage('POST', '/v1/signing-keys/rotate', { algorithm: alg })
      const published = await signIn(client)
      assert.equal(published.kid, first.kid, 'the next key does not sign before caches have it')
      await server.manage('POST', `/v1/signing-keys/${first.kid}/revoke`, { reason: 'test' })
      const second = await signIn(client)
      assert.equal(second.alg, alg)
      assert.notEqual(second.kid, first.kid)
    })

  it('are what discovery says, with a key in the JWKS for each', async () => {
    const { id_token_signing_alg_values_supported: named, jwks_uri: uri } = await metadata()
    assert.deepEqual([...named].sort(), ['ES256', 'EdDSA', 'RS256'])
    const { keys } = (await (await fetch(uri)).json()) as Json
    for (const alg of named) assert.ok(keys.some((key: Json) => key.alg === alg, alg))
  })

  it('are never symmetric or unsigned', async () => {
    for (const alg of ['HS256', 'none', 'RS1']) {
      const { status } = await server.ask('POST', '/v1/clients', {
        name: 'A client',
        kind: 'web',
        redirect_uris: [CALLBACK],
        id_token_signed_response_alg: alg,
      })
      assert.equal(status, 400, alg)
    }
  })
})
