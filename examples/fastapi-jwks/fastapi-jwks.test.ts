/** The Python service itself, with PyJWT as it is installed, against Postern's own tokens and against forged ones. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { freshSqlite } from '../../server/test/databases.ts'
import { ROOT_SECRET } from '../../server/test/deployment.ts'
import { freePort } from '../../server/test/postgres-cluster.ts'
import {
  API,
  basic,
  claimsOf,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../server/test/oauth-server.ts'
import { base64url, forge, forgeOwn } from '../../server/test/tokens/forge.ts'
import { SigningKeys } from '../../server/src/tokens/index.ts'
import { pythonWithRequirements } from './python.ts'

const HEADER = { alg: 'ES256', typ: 'at+jwt' }

const found = await pythonWithRequirements()
const missing = 'missing' in found ? found.missing : undefined
const python = 'python' in found ? found.python : ''
if (missing !== undefined)
  console.error(
    `\nSKIPPED: examples/fastapi-jwks needs python3 with venv, and pip to install from:\n${missing}\n`,
  )

describe('a FastAPI service with PyJWT', { skip: missing ?? false }, () => {
  const database = freshSqlite()
  let server: OAuthServer
  let client: Json
  let keys: SigningKeys
  let service: Service
  /** The claims of a good token. */
  let good: Json

  before(async () => {
    server = await openOAuthServer(database)
    await newResource(server)
    client = await newClient(server, { resources: [{ resource: API }] })
    const { storage, context } = server.deployment
    keys = new SigningKeys(storage, ROOT_SECRET, context.changes.clock)
    await keys.load()
    service = await startService(python, server.issuer)
    good = claimsOf(await clientToken('orders:read'))
  })
  after(async () => {
    await service?.stop()
    await server?.close()
    await database.drop()
  })

  const clientToken = async (scope: string): Promise<string> => {
    const fields = { grant_type: 'client_credentials', scope }
    const { status, body } = await server.form('/token', fields, basic(client.id, client.client_secret))
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token
  }

  const newKey = () =>
    server.manage('POST', '/v1/keys', { name: 'k', owner: 'acme', resource: API, scopes: ['orders:read'] })

  const exchange = async (key: string): Promise<string> => {
    const { body } = await server.form('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: 'api-key',
      subject_token: key,
      subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
    })
    return body.access_token
  }

  it("serves a client's token, and one that a key was exchanged for", async () => {
    const ofClient = await service.orders(await clientToken('orders:read'))
    assert.deepEqual(ofClient.body, { tenant: client.tenant, caller: client.id, orders: ['tea'] })
    const { key } = await newKey()
    const ofKey = await service.orders(await exchange(key))
    assert.equal(ofKey.status, 200)
    assert.equal(ofKey.body.caller, 'acme')
  })

  it('asks for the scope, and says which', async () => {
    const { status, challenge } = await service.orders(await clientToken('orders:write'))
    assert.equal(status, 403)
    assert.match(challenge, /error="insufficient_scope", scope="orders:read"$/)
  })

  it('challenges whoever has no token, without an error (RFC 6750, section 3.1)', async () => {
    const { status, body, challenge } = await service.orders()
    assert.deepEqual([status, body.code, challenge], [401, 'missing', `Bearer realm="${API}"`])
  })

  it('takes the token whose copies it refuses below', async () => {
    assert.equal((await service.orders(forgeOwn(keys, good))).status, 200)
  })

  const now = Math.floor(Date.now() / 1000)
  const without = (name: string) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))
  const hs256 = (publicKey: KeyObject) => {
    const { kid } = keys.active('ES256')
    const secret = publicKey.export({ format: 'pem', type: 'spki' })
    const input = `${base64url({ alg: 'HS256', typ: 'at+jwt', kid })}.${base64url(good)}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const strangerJwk = stranger.publicKey.export({ format: 'jwk' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

  for (const [what, code, make] of [
    ['of another issuer', 'unknown', () => forgeOwn(keys, { ...good, iss: 'https://other.example.test' })],
    ['for another API', 'wrong_resource', () => forgeOwn(keys, { ...good, aud: 'https://b.example.test/' })],
    [
      'for this API and another',
      'wrong_resource',
      () => forgeOwn(keys, { ...good, aud: [API, 'https://b'] }),
    ],
    ['that has expired', 'expired', () => forgeOwn(keys, { ...good, iat: now - 900, exp: now - 60 })],
    ['from the future', 'not_yet_valid', () => forgeOwn(keys, { ...good, iat: now + 300 })],
    ['that begins later', 'not_yet_valid', () => forgeOwn(keys, { ...good, nbf: now + 300 })],
    ['without exp', 'unknown', () => forgeOwn(keys, without('exp'))],
    ['without iat', 'unknown', () => forgeOwn(keys, without('iat'))],
    ['without a tenant', 'unknown', () => forgeOwn(keys, without('tenant'))],
    ['that is bound to a key', 'proof_required', () => forgeOwn(keys, { ...good, cnf: { jkt: 'x' } })],
    ['with a list for its scope', 'malformed', () => forgeOwn(keys, { ...good, scope: ['orders:read'] })],
    ['that is an ID token', 'unsupported', () => forgeOwn(keys, good, { typ: 'JWT' })],
    ['without a type', 'unsupported', () => forgeOwn(keys, good, { typ: undefined })],
    ['with crit', 'unknown', () => forgeOwn(keys, good, { crit: ['x'], x: 1 })],
    [
      'of a key id that is a list',
      'unknown',
      () => forgeOwn(keys, good, { kid: [keys.active('ES256').kid] }),
    ],
    ['without a key id', 'unknown', () => forgeOwn(keys, good, { kid: undefined })],
    ['of a key id that nobody has', 'unknown', () => forgeOwn(keys, good, { kid: '../../etc/passwd' })],
    [
      'signed by another key of that id',
      'unknown',
      () => forge('ES256', stranger.privateKey, { ...HEADER, kid: keys.active('ES256').kid }, good),
    ],
    [
      'that brings its own key',
      'unknown',
      () =>
        forge(
          'ES256',
          stranger.privateKey,
          { ...HEADER, jwk: strangerJwk, kid: keys.active('ES256').kid },
          good,
        ),
    ],
    [
      'that says RS256 for an ES256 key',
      'unknown',
      () => forge('RS256', rsa.privateKey, { ...HEADER, alg: 'RS256', kid: keys.active('ES256').kid }, good),
    ],
    [
      'with no signature',
      'unknown',
      () => `${base64url({ ...HEADER, alg: 'none', kid: keys.active('ES256').kid })}.${base64url(good)}.`,
    ],
    [
      'signed with the public key as a secret',
      'unknown',
      () => hs256(createPublicKey(keys.active('ES256').privateKey)),
    ],
    ['of JSON that is nested too deeply', 'unknown', () => `${base64url('['.repeat(5_000))}.e30.AA`],
    ['longer than any of ours', 'malformed', () => forgeOwn(keys, { ...good, pad: 'x'.repeat(9_000) })],
    ['that is no JWT', 'unknown', () => 'at_live_x'],
  ] as const)
    it(`refuses a token ${what}`, async () => {
      const { status, body, challenge } = await service.orders(make())
      assert.deepEqual([status, body.code], [401, code])
      assert.match(challenge, /error="invalid_token"$/)
    })

  it('refuses two tokens, and other schemes', async () => {
    const token = await clientToken('orders:read')
    assert.equal(await service.codeOf([`Bearer ${token}`, 'Bearer x']), 'multiple_credentials')
    assert.equal(await service.codeOf([`DPoP ${token}`]), 'unsupported')
  })

  it('does not see a revocation, which verify does: as its README says', async () => {
    const { id, key } = await newKey()
    const token = await exchange(key)
    await server.manage('POST', `/v1/keys/${id}/revoke`, {})
    const question = { credential: token, resource: API }
    assert.equal((await server.manage('POST', '/v1/verify', question)).code, 'revoked')
    assert.equal((await service.orders(token)).status, 200)
  })

  it('lets nobody in when the keys cannot be fetched', async (t) => {
    const cutOff = await startService(python, `http://localhost:${await freePort()}`)
    t.after(() => cutOff.stop())
    const { status, body } = await cutOff.orders(await clientToken('orders:read'))
    assert.deepEqual([status, body.code], [503, 'unavailable'])
  })
})

interface Service {
  /** GET /orders, with this token. */
  orders(token?: string): Promise<{ status: number; body: Json; challenge: string }>
  /** GET /orders, with these Authorization headers as they are: the code that it is refused with. */
  codeOf(authorizations: readonly string[]): Promise<string>
  stop(): Promise<void>
}

/** `main.py`, on a free port. */
async function startService(python: string, issuer: string): Promise<Service> {
  const child = spawn(python, ['main.py'], {
    cwd: import.meta.dirname,
    env: { ...process.env, POSTERN_SERVER: issuer, POSTERN_RESOURCE: API, PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const url = `${await addressOf(child)}/orders`
  return {
    async orders(token) {
      const answer = await fetch(
        url,
        token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
      )
      const challenge = answer.headers.get('www-authenticate') ?? ''
      return { status: answer.status, body: await answer.json(), challenge }
    },
    codeOf: (authorizations) =>
      new Promise((resolve, reject) => {
        const headers = authorizations.flatMap((value) => ['Authorization', value])
        // Given as pairs, they are sent as they stand: a fetch would join them.
        request(url, { headers: ['Host', new URL(url).host, ...headers] }, (answer) => {
          let text = ''
          answer.on('data', (chunk) => (text += String(chunk)))
          answer.on('end', () => resolve((JSON.parse(text) as Json).code))
        })
          .on('error', reject)
          .end()
      }),
    stop() {
      child.kill()
      return closed
    },
  }
}

/** Where it says that it listens. */
function addressOf(child: ChildProcess): Promise<string> {
  let output = ''
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      output += String(chunk)
      const address = /running on (http:\/\/\S+)/.exec(output)?.[1]
      if (address !== undefined) resolve(address)
    })
    child.on('error', reject)
    child.on('close', () => reject(new Error(`The service ended: ${output}`)))
  })
}
