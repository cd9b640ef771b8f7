/** A user, a client, and the way from one to the other's tokens, as openid-client walks it. */
import * as openid from 'openid-client'
import { Browser } from './browser.ts'
import { API, type Json, type OAuthServer } from './oauth-server.ts'

const PASSWORD = 'correct horse battery'

export async function newUser(server: OAuthServer, username: string, tenant: string): Promise<Json> {
  const user = await server.manage('POST', '/v1/users', { username, name: username })
  await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
  await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenant}`, { roles: [] })
  return user
}

export function configFor(server: OAuthServer, client: Json): Promise<openid.Configuration> {
  return openid.discovery(
    new URL(server.issuer),
    client.id,
    undefined,
    client.client_secret ? openid.ClientSecretBasic(client.client_secret) : openid.None(),
    { execute: [openid.allowInsecureRequests] },
  )
}

/** Signs in, allows what is asked for, and redeems the code. */
export async function signInAs(
  server: OAuthServer,
  config: openid.Configuration,
  username: string,
  redirectUri: string,
  more: Record<string, string> = {},
) {
  const pkceCodeVerifier = openid.randomPKCECodeVerifier()
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid orders:read',
    resource: API,
    code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: 'S256',
    ...more,
  })
  const browser = new Browser(server)
  const consent = await browser.submit(await browser.visit(url.href), {
    identifier: username,
    password: PASSWORD,
  })
  const callback = consent.url.startsWith(redirectUri)
    ? consent
    : await browser.submit(consent, { decision: 'allow' })
  const tokens = await openid.authorizationCodeGrant(config, new URL(callback.url), { pkceCodeVerifier })
  return { browser, consent, callback, tokens }
}
