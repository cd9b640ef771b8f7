import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
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
import { dpopHolder } from '../../test/tokens/dpop.ts'
import { PROOF_ALGORITHMS } from '../kernel/index.ts'
import type { JwsAlgorithm } from '../tokens/jws-signature.ts'
import { stripPrivileges } from './client-metadata.ts'

const PASSWORD = 'correct horse battery'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

onBothDatabases('devices, pages and proofs', (fresh) => {
  let server: OAuthServer
  let user: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    const { tenant } = await newClient(server)
    user = await server.manage('POST', '/v1/users', { username: 'ada', name: 'Ada' })
    await server.manage('POST', `/v1/users/${user.id}/password`, { password: PASSWORD })
    await server.manage('PUT', `/v1/users/${user.id}/tenants/${tenant}`, { roles: [] })
  })
  after(() => server.close())

  const configFor = (client: Json) =>
    openid.discovery(
      new URL(server.issuer),
      client.id,
      undefined,
      client.client_secret ? openid.ClientSecretBasic(client.client_secret) : openid.None(),
      { execute: [openid.allowInsecureRequests] },
    )
  const authorize = async (client: Json, more: Record<string, string>, options?: { par?: boolean }) => {
    const config = await configFor(client)
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const parameters = {
      redirect_uri: client.redirect_uris[0],
      scope: 'openid orders:read',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      ...more,
    }
    const url = options?.par
      ? await openid.buildAuthorizationUrlWithPAR(config, parameters)
      : openid.buildAuthorizationUrl(config, parameters)
    const browser = new Browser(server)
    const page = await browser.submit(await browser.visit(url.href), {
      identifier: 'ada',
      password: PASSWORD,
    })
    const callback = await browser.submit(page, { decision: 'allow' })
    return { config, callback: callback.url, pkceCodeVerifier, url }
  }

  it('connects a device with openid-client: code typed, device confirmed, consent, then tokens once', async () => {
    const device = await newClient(server, {
      kind: 'native',
      grant_types: [DEVICE_CODE, 'refresh_token'],
      resources: [{ resource: API }],
    })
    const config = await configFor(device)
    const begun = await openid.initiateDeviceAuthorization(config, {
      scope: 'openid orders:read',
      resource: API,
    })
    const poll = () =>
      server.form('/token', {
        grant_type: DEVICE_CODE,
        device_code: begun.device_code,
        client_id: device.id,
      })
    assert.equal((await poll()).body.error, 'authorization_pending')
    const browser = new Browser(server)
    const wrong = await browser.submit(await browser.visit('/device'), { user_code: 'BBBB-BBBB' })
    assert.match(wrong.text, /role="alert"/)
    const confirm = await browser.submit(await browser.visit('/device'), { user_code: begun.user_code })
    assert.ok(confirm.text.includes(begun.user_code), confirm.text)
    const signIn = await browser.submit(confirm, {})
    const consent = await browser.submit(signIn, { identifier: 'ada', password: PASSWORD })
    const done = await browser.submit(consent, { decision: 'allow' })
    assert.match(done.text, /is connected/)
    const tokens = await openid.pollDeviceAuthorizationGrant(config, begun)
    assert.equal(claimsOf(tokens.access_token).sub, user.id)
    assert.equal(claimsOf(tokens.access_token).scope, 'orders:read')
    assert.equal((await poll()).body.error, 'invalid_grant')
  })

  it('lets a native client use any port of loopback, and nothing else of its redirect URI', async () => {
    const native = await newClient(server, {
      kind: 'native',
      redirect_uris: ['http://127.0.0.1/callback'],
      resources: [{ resource: API }],
    })
    const { config, callback, pkceCodeVerifier } = await authorize(native, {
      redirect_uri: 'http://127.0.0.1:49152/callback',
    })
    assert.ok(callback.startsWith('http://127.0.0.1:49152/callback?'), callback)
    const tokens = await openid.authorizationCodeGrant(config, new URL(callback), { pkceCodeVerifier })
    assert.ok(tokens.refresh_token)
    for (const redirect_uri of ['http://127.0.0.1:49152/other', 'http://localhost:49152/callback']) {
      const url = openid.buildAuthorizationUrl(config, {
        redirect_uri,
        scope: 'openid',
        code_challenge: 'x'.repeat(43),
        code_challenge_method: 'S256',
      })
      assert.equal((await new Browser(server).visit(url.href)).status, 400)
    }
  })

  it('answers scripts of registered origins alone', async () => {
    const browser = await newClient(server, {
      kind: 'browser',
      redirect_uris: ['https://spa.example.test/callback'],
      resources: [{ resource: API }],
    })
    const ask = async (origin: string) => {
      const fields = { grant_type: 'refresh_token', refresh_token: 'x', client_id: browser.id }
      const answer = await server.form('/token', fields, { origin })
      return [answer.body.error, answer.headers.get('access-control-allow-origin')]
    }
    assert.deepEqual(await ask('https://spa.example.test'), ['invalid_grant', 'https://spa.example.test'])
    assert.deepEqual(await ask('https://evil.example'), ['invalid_request', null])
    assert.deepEqual(await ask('null'), ['invalid_request', null])
    const preflight = await fetch(`${server.address}/token`, {
      method: 'OPTIONS',
      headers: { origin: 'https://spa.example.test', 'access-control-request-method': 'POST' },
    })
    assert.equal(preflight.status, 204)
    const { callback, config, pkceCodeVerifier } = await authorize(browser, {})
    const tokens = await openid.authorizationCodeGrant(config, new URL(callback), { pkceCodeVerifier })
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.notEqual(refreshed.refresh_token, tokens.refresh_token)
  })

  it('binds a public client to its DPoP key through code and refresh, with a pushed request', async () => {
    const browser = await newClient(server, {
      kind: 'browser',
      redirect_uris: ['https://dpop.example.test/callback'],
      resources: [{ resource: API }],
      dpop_bound: true,
    })
    const { config, callback, pkceCodeVerifier, url } = await authorize(browser, {}, { par: true })
    assert.match(url.href, /request_uri=/)
    const handle = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    const tokens = await openid.authorizationCodeGrant(
      config,
      new URL(callback),
      { pkceCodeVerifier },
      undefined,
      { DPoP: handle },
    )
    const { jkt } = claimsOf(tokens.access_token).cnf
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token), undefined, {
      DPoP: handle,
    })
    assert.equal(claimsOf(refreshed.access_token).cnf.jkt, jkt)
    const thief = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair())
    await assert.rejects(
      openid.refreshTokenGrant(config, String(refreshed.refresh_token), undefined, { DPoP: thief }),
    )
    await assert.rejects(openid.refreshTokenGrant(config, String(refreshed.refresh_token)))
    // Whoever has only the token has used up nothing of its owner's.
    await openid.refreshTokenGrant(config, String(refreshed.refresh_token), undefined, { DPoP: handle })
  })

  it('takes DPoP proofs by the algorithms that its metadata names, and by no other', async () => {
    const client = await newClient(server, { resources: [{ resource: API }] })
    const prove = (alg: string) => {
      const holder = dpopHolder(alg === 'Ed25519' ? 'EdDSA' : (alg as JwsAlgorithm))
      const claims = {
        htm: 'POST',
        htu: `${server.issuer}/token`,
        jti: randomBytes(12).toString('base64url'),
        iat: Math.floor(Date.now() / 1000),
      }
      return { jkt: holder.jkt, dpop: holder.prove(claims, { alg }) }
    }
    const send = (dpop: string) =>
      server.form(
        '/token',
        { grant_type: 'client_credentials' },
        { ...basic(client.id, client.client_secret), dpop },
      )
    for (const path of ['openid-configuration', 'oauth-authorization-server']) {
      const metadata = (await (await fetch(`${server.issuer}/.well-known/${path}`)).json()) as Json
      const named: string[] = metadata.dpop_signing_alg_values_supported
      assert.deepEqual([...named].sort(), ['ES256', 'Ed25519', 'EdDSA'])
      for (const alg of PROOF_ALGORITHMS) {
        const { jkt, dpop } = prove(alg)
        const { status, body } = await send(dpop)
        if (named.includes(alg)) assert.equal(claimsOf(body.access_token).cnf.jkt, jkt, alg)
        else assert.deepEqual([status, body.error], [400, 'invalid_dpop_proof'], alg)
      }
    }
  })

  it('takes private_key_jwt of the registered key, and no confused or symmetric algorithm', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const jwk = publicKey.export({ format: 'jwk' })
    const service = await newClient(server, {
      auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...jwk, alg: 'ES256', kid: 'one' }] },
      resources: [{ resource: API }],
    })
    const key = await crypto.subtle.importKey(
      'pkcs8',
      privateKey.export({ format: 'der', type: 'pkcs8' }),
      { name: 'ECDSA', namedCurve: 'P-256' },
      false,
      ['sign'],
    )
    const config = await openid.discovery(
      new URL(server.issuer),
      service.id,
      undefined,
      openid.PrivateKeyJwt({ key, kid: 'one' }),
      { execute: [openid.allowInsecureRequests] },
    )
    assert.ok((await openid.clientCredentialsGrant(config, { resource: API })).access_token)
    const now = Math.floor(Date.now() / 1000)
    const payload = Buffer.from(
      JSON.stringify({
        iss: service.id,
        sub: service.id,
        aud: server.issuer,
        jti: randomBytes(8).toString('hex'),
        iat: now,
        exp: now + 60,
      }),
    ).toString('base64url')
    for (const header of [
      { alg: 'none' },
      { alg: 'HS256', kid: 'one' },
      { alg: 'ES256', jwk },
      { alg: 'ES256', kid: '../../etc/passwd' },
      { alg: 'ES256', kid: ['one'] },
    ]) {
      const head = Buffer.from(JSON.stringify(header)).toString('base64url')
      const answer = await server.form('/token', {
        grant_type: 'client_credentials',
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: `${head}.${payload}.${'A'.repeat(86)}`,
      })
      assert.deepEqual([answer.status, answer.body.error], [401, 'invalid_client'], JSON.stringify(header))
    }
  })

  it('notes refusals and issues in the activity log, by code and client', async () => {
    await server.form('/token', { grant_type: 'client_credentials', client_id: 'cli_nobody' })
    const noted = async (): Promise<boolean> =>
      (await server.manage('GET', '/v1/activity?kind=oauth_refused&limit=100')).data.some(
        (row: Json) => row.code === 'invalid_client' && row.route === '/token',
      )
    // Written a moment after the reply.
    for (let round = 0; round < 30 && !(await noted()); round++)
      await new Promise((resolve) => setTimeout(resolve, 100))
    assert.ok(await noted())
  })
})

it('gives nobody the privileges they claim for themselves', () => {
  const claimed = {
    client_id: 'https://evil.example/client.json',
    postern: { firstParty: true, tenantId: null, resources: [] },
    scope: 'openid',
    grant_types: ['authorization_code', 'client_credentials', 'refresh_token', DEVICE_CODE],
  }
  const byUrl: Record<string, unknown> = { ...claimed }
  stripPrivileges(undefined, byUrl)
  const registered: Record<string, unknown> = { ...claimed, client_id: 'cli_x' }
  stripPrivileges({}, registered)
  for (const metadata of [byUrl, registered]) {
    assert.equal(metadata['postern'], undefined)
    assert.equal(metadata['scope'], undefined)
    assert.deepEqual(metadata['grant_types'], ['authorization_code', 'refresh_token'])
  }
  const ours: Record<string, unknown> = { ...claimed, client_id: 'cli_x' }
  stripPrivileges(undefined, ours)
  assert.ok(ours['postern'])
})
