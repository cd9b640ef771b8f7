/** What clients prove themselves with, fetched from where they say: key sets, and documents that describe them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { SignJWT } from 'jose'
import * as openid from 'openid-client'
import { Browser } from '../../test/browser.ts'
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
import { newUser } from '../../test/sign-in-as.ts'

const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

onBothDatabases('what clients say of themselves', (fresh) => {
  let server: OAuthServer
  let tenant: string
  const first = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const second = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwkOf = (key: KeyObject, kid: string) => ({ ...key.export({ format: 'jwk' }), kid, alg: 'ES256' })

  let keys: Json[] = []
  let fetches = 0
  const keySet = createServer((_request, response) => {
    fetches++
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys }))
  })
  /** Documents by their path. */
  const documents = new Map<string, unknown>()
  const read: string[] = []
  const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'))
  const trusted = getCACertificates('default')
  let site: ReturnType<typeof createHttpsServer>

  before(async () => {
    const file = (name: string): string => join(folder, name)
    const make = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout ${file('key')} -out ${file('cert')}`
    execFileSync('openssl', make.split(' '), { stdio: 'ignore' })
    const cert = readFileSync(file('cert'), 'utf8')
    setDefaultCACertificates([...trusted, cert])
    site = createHttpsServer({ cert, key: readFileSync(file('key')) }, (request, response) => {
      read.push(String(request.url))
      const document = documents.get(String(request.url))
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(document ?? {}))
    })
    for (const one of [keySet, site]) {
      one.listen(0, 'localhost')
      await once(one, 'listening')
    }
    server = await openOAuthServer(await fresh())
    await newResource(server)
    ;({ tenant } = await newClient(server))
    await newUser(server, 'ada', tenant)
  })
  after(async () => {
    setDefaultCACertificates(trusted)
    rmSync(folder, { recursive: true, force: true })
    keySet.close()
    site.close()
    await server.close()
  })

  const assertion = async (client: Json, key: KeyObject, kid: string, more: Json = {}): Promise<string> => {
    const now = Math.floor(Date.now() / 1000)
    const jti = randomBytes(9).toString('base64url')
    const claims = { iss: client.id, sub: client.id, aud: server.issuer, jti, iat: now, exp: now + 60 }
    return new SignJWT({ ...claims, ...more }).setProtectedHeader({ alg: 'ES256', kid }).sign(key)
  }
  const present = async (client_assertion: string) => {
    const { status, body } = await server.form('/token', {
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION,
      client_assertion,
    })
    return [status, body.error]
  }

  it('private_key_jwt by jwks_uri: fetched once and kept; each assertion is good once, and only as it should be', async () => {
    keys = [jwkOf(first.publicKey, 'one')]
    fetches = 0
    const client = await newClient(server, {
      auth_method: 'private_key_jwt',
      jwks_uri: `http://localhost:${(keySet.address() as AddressInfo).port}/keys`,
      resources: [{ resource: API }],
    })
    assert.deepEqual(await present(await assertion(client, first.privateKey, 'one')), [200, undefined])
    assert.deepEqual(await present(await assertion(client, first.privateKey, 'one')), [200, undefined])
    assert.equal(fetches, 1)
    const once = await assertion(client, first.privateKey, 'one')
    assert.deepEqual(await present(once), [200, undefined])
    assert.deepEqual(await present(once), [401, 'invalid_client'], 'a replay')
    for (const [what, wrong] of Object.entries({
      'of another key': await assertion(client, second.privateKey, 'one'),
      'for another server': await assertion(client, first.privateKey, 'one', { aud: 'https://evil.example' }),
      'of another issuer': await assertion(client, first.privateKey, 'one', { iss: 'cli_x' }),
      'that has expired': await assertion(client, first.privateKey, 'one', { exp: 1 }),
      'without an end': await assertion(client, first.privateKey, 'one', { exp: undefined }),
      'without a name': await assertion(client, first.privateKey, 'one', { jti: undefined }),
    }))
      assert.deepEqual(await present(wrong), [401, 'invalid_client'], what)
  })

  it('a key set at a private address is never asked', async () => {
    for (const jwks_uri of [
      'https://10.0.0.1/keys',
      'https://169.254.169.254/latest',
      'https://[fd00::1]/keys',
    ]) {
      const client = await newClient(server, {
        auth_method: 'private_key_jwt',
        jwks_uri,
        resources: [{ resource: API }],
      })
      const [status] = await present(await assertion(client, first.privateKey, 'one'))
      assert.ok(status === 401 || status === 400, `${jwks_uri}: ${status}`)
    }
    for (const jwks_uri of ['http://keys.example.com/', 'file:///etc/passwd', 'https://u:p@example.com/'])
      assert.equal(
        (
          await server.ask('POST', '/v1/clients', {
            name: 'x',
            kind: 'service',
            auth_method: 'private_key_jwt',
            jwks_uri,
          })
        ).status,
        400,
        jwks_uri,
      )
  })

  /** A client that is described by a document of its own, at this path. */
  const documented = (path: string, more: Json = {}): string => {
    const id = `https://localhost:${(site.address() as AddressInfo).port}${path}`
    documents.set(path, {
      client_id: id,
      client_name: 'A program nobody registered',
      redirect_uris: ['http://127.0.0.1/callback'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...more,
    })
    return id
  }
  const authorize = async (clientId: string, browser = new Browser(server)) => {
    const config = await openid.discovery(new URL(server.issuer), clientId, undefined, openid.None(), {
      execute: [openid.allowInsecureRequests],
    })
    const pkceCodeVerifier = openid.randomPKCECodeVerifier()
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: 'http://127.0.0.1:49152/callback',
      scope: 'openid orders:read',
      resource: API,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    })
    return { config, pkceCodeVerifier, browser, page: await browser.visit(url.href) }
  }

  it('a document is read once, its client is shown to the user, and gives itself no privileges', async () => {
    const clientId = documented('/client.json', {
      postern: { firstParty: true, tenantId: null, resources: [], secrets: [], introspects: [] },
      first_party: true,
      scope: 'openid orders:read everything',
    })
    read.length = 0
    const { config, pkceCodeVerifier, browser, page } = await authorize(clientId)
    const consent = await browser.submit(page, { identifier: 'ada', password: 'correct horse battery' })
    assert.match(consent.text, /A program nobody registered/)
    assert.match(consent.text, /127\.0\.0\.1/)
    const { url } = await browser.submit(consent, { decision: 'allow' })
    const tokens = await openid.authorizationCodeGrant(config, new URL(url), { pkceCodeVerifier })
    assert.equal(claimsOf(tokens.access_token).client_id, clientId)
    assert.equal(claimsOf(tokens.access_token).tenant, tenant)
    const refreshed = await openid.refreshTokenGrant(config, String(tokens.refresh_token))
    assert.ok(refreshed.access_token)
    assert.deepEqual(read, ['/client.json'])
    const machine = await server.form('/token', {
      grant_type: 'client_credentials',
      client_id: clientId,
      resource: API,
    })
    assert.equal(machine.status, 400)
  })

  it('a document that is of another client, holds a secret, or is not there is refused', async () => {
    const wrong = {
      '/another.json': documented('/another.json', { client_id: 'https://localhost/else.json' }),
      '/secret.json': documented('/secret.json', {
        client_secret: 'x',
        token_endpoint_auth_method: 'client_secret_post',
      }),
      '/gone.json': `https://localhost:${(site.address() as AddressInfo).port}/gone.json`,
      private: 'https://10.0.0.1/client.json',
      http: `http://localhost:${(keySet.address() as AddressInfo).port}/client.json`,
    }
    for (const [what, clientId] of Object.entries(wrong))
      assert.equal((await authorize(clientId)).page.status, 400, what)
  })

  it('reading documents has a limit, for each address', async () => {
    const paths = Array.from({ length: 15 }, (_, number) => `/many-${number}.json`)
    read.length = 0
    const statuses: number[] = []
    for (const path of paths) statuses.push((await authorize(documented(path))).page.status)
    assert.ok(statuses.includes(400))
    assert.ok(read.length < paths.length, `${read.length} of ${paths.length} were read`)
  })
})
