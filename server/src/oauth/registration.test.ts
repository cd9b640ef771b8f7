import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as openid from 'openid-client'
import { onBothDatabases } from '../../test/databases.ts'
import { API, claimsOf, type Json, newClient, newResource, openOAuthServer } from '../../test/oauth-server.ts'
import { newUser, signInAs } from '../../test/sign-in-as.ts'

const CALLBACK = 'https://app.example.test/callback'

onBothDatabases('dynamic registration', (fresh) => {
  it('is off unless the deployment asks for it', async () => {
    const server = await openOAuthServer(await fresh())
    try {
      const metadata = (await (
        await fetch(`${server.issuer}/.well-known/openid-configuration`)
      ).json()) as Json
      assert.equal(metadata.registration_endpoint, undefined)
      const answer = await fetch(`${server.address}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: [CALLBACK] }),
      })
      assert.equal(answer.status, 404)
    } finally {
      await server.close()
    }
  })

  it('takes openid-client, gives no secret, no privileges and no scope, and asks the user', async () => {
    const server = await openOAuthServer(await fresh(), { env: { POSTERN_DYNAMIC_REGISTRATION: 'true' } })
    try {
      await newResource(server)
      const { tenant } = await newClient(server)
      await newUser(server, 'ada', tenant)
      const config = await openid.dynamicClientRegistration(
        new URL(server.issuer),
        {
          redirect_uris: [CALLBACK],
          client_name: 'Somebody',
          scope: 'openid everything unheard-of',
          grant_types: ['authorization_code', 'refresh_token', 'client_credentials'],
          token_endpoint_auth_method: 'client_secret_post',
          postern: { firstParty: true, tenantId: null, secrets: [], resources: [] },
          first_party: true,
        } as never,
        openid.None(),
        { execute: [openid.allowInsecureRequests] },
      )
      const { client_id: id, client_secret: secret, ...registered } = config.clientMetadata() as Json
      assert.match(id, /^cli_/)
      assert.equal(secret, undefined)
      assert.equal(registered.token_endpoint_auth_method, 'none')
      assert.equal(registered.scope, undefined)
      assert.equal(registered.postern, undefined)
      const stored = await server.manage('GET', `/v1/clients/${id}`)
      assert.deepEqual([stored.self_registered, stored.first_party, stored.resources], [true, false, []])

      const { consent, tokens } = await signInAs(server, config, 'ada', CALLBACK)
      assert.match(consent.text, /Allow Somebody\?/)
      assert.equal(claimsOf(tokens.access_token).client_id, id)
      const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
      const machine = await server.form('/token', {
        grant_type: 'client_credentials',
        client_id: id,
        resource: API,
      })
      assert.equal(machine.status, 400)
      await server.manage('PATCH', `/v1/clients/${id}`, { disabled: true })
      await assert.rejects(openid.refreshTokenGrant(config, String(refreshed.refresh_token)))

      const register = async (body: Json): Promise<[number, string]> => {
        const answer = await fetch(`${server.address}/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        })
        return [answer.status, ((await answer.json()) as Json).error]
      }
      for (const uri of ['http://evil.example/', 'https://evil.example/*', 'javascript:alert(1)', 'x'])
        assert.equal((await register({ redirect_uris: [uri] }))[0], 400, uri)
      const statuses: number[] = []
      for (let count = 0; count < 15; count++)
        statuses.push((await register({ redirect_uris: [CALLBACK], grant_types: ['authorization_code'] }))[0])
      assert.ok(statuses.includes(201))
      assert.ok(
        statuses.some((status) => status !== 201),
        'one address registers only so many',
      )
    } finally {
      await server.close()
    }
  })
})
