import assert from 'node:assert/strict'
import { it } from 'node:test'
import * as openid from 'openid-client'
import { freshSqlite } from '../../test/databases.ts'
import { API, claimsOf, type Json, newClient, newResource, openOAuthServer } from '../../test/oauth-server.ts'
import { configFor, newUser, signInAs } from '../../test/sign-in-as.ts'

const CALLBACK = 'https://app.example.test/callback'

it('an issuer with a path: metadata in both places, and every endpoint under it', async () => {
  const database = freshSqlite()
  const server = await openOAuthServer(database, { path: '/auth' })
  try {
    assert.ok(server.issuer.endsWith('/auth'))
    for (const path of [
      // RFC 8414, section 3.1, and OpenID Connect Discovery, section 4.1.
      '/.well-known/oauth-authorization-server/auth',
      '/.well-known/openid-configuration/auth',
      '/auth/.well-known/openid-configuration',
      '/auth/.well-known/oauth-authorization-server',
    ]) {
      const answer = await fetch(server.address + path)
      assert.equal(answer.status, 200, path)
      const metadata = (await answer.json()) as Json
      assert.equal(metadata.issuer, server.issuer)
      for (const [name, value] of Object.entries(metadata))
        if (/_(endpoint|uri)$/.test(name) && typeof value === 'string')
          assert.ok(value.startsWith(`${server.issuer}/`), `${name}: ${value}`)
      assert.equal((await fetch(metadata.jwks_uri)).status, 200)
    }
    await newResource(server)
    const web = await newClient(server, {
      kind: 'web',
      redirect_uris: [CALLBACK],
      resources: [{ resource: API }],
    })
    await newUser(server, 'ada', web.tenant)
    const config = await configFor(server, web)
    const { tokens } = await signInAs(server, config, 'ada', CALLBACK)
    assert.equal(claimsOf(tokens.access_token).iss, server.issuer)
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.equal((await openid.tokenIntrospection(config, refreshed.access_token)).active, true)
    const verified = await server.manage('POST', '/v1/verify', { credential: refreshed.access_token })
    assert.equal(verified.valid, true, JSON.stringify(verified))
  } finally {
    await server.close()
    await database.drop()
  }
})
