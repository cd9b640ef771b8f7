/** The SDK's verifier of identity tokens, on tokens that the gateway really signed, and on those that it never would. */
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { after, before, it } from 'node:test'
import { createIdentityVerifier, type VerifyIdentity } from '../../../sdk/src/identity-token.ts'
import { freshSqlite, type TestDatabase } from '../../test/databases.ts'
import {
  API,
  ask,
  type GatewayServer,
  OPEN_HOST,
  openGatewayServer,
  SECRET,
} from '../../test/gateway/protected.ts'
import { claimsOf } from '../../test/oauth-server.ts'
import { signJws } from '../tokens/index.ts'

const AUDIENCE = `https://${OPEN_HOST}`
let database: TestDatabase
let server: GatewayServer
let token: string
let identify: VerifyIdentity

before(async () => {
  database = freshSqlite()
  server = await openGatewayServer(database)
  await server.manage('POST', '/v1/gateway/routes', { host: OPEN_HOST, resource: API })
  identify = verifier()
  const answer = await ask(server.port, '/gateway/caddy', [
    ['Host', 'postern'],
    ['Postern-Gateway-Secret', SECRET],
    ['X-Forwarded-Method', 'GET'],
    ['X-Forwarded-Proto', 'https'],
    ['X-Forwarded-Host', OPEN_HOST],
    ['X-Forwarded-Uri', '/'],
    ['X-API-Key', server.key.key],
  ])
  token = String(answer.headers['postern-identity'])
})
after(async () => {
  await server.close()
  await database.drop()
})

function verifier(more: Partial<Parameters<typeof createIdentityVerifier>[0]> = {}): VerifyIdentity {
  return createIdentityVerifier({
    server: server.issuer,
    audience: AUDIENCE,
    now: () => server.clock.nowMs(),
    fetch: (_url, init) => fetch(`http://127.0.0.1:${server.port}/jwks`, init),
    ...more,
  })
}

const codeOf = async (verify: VerifyIdentity, text: string | undefined): Promise<string> => {
  const result = await verify(text)
  return result.valid ? 'valid' : result.code
}

it('answers the Principal of the credential that the proxy was shown', async () => {
  const caller = await identify(token)
  assert.ok(caller.valid)
  assert.deepEqual(
    [
      caller.sub,
      caller.subType,
      caller.resource,
      caller.scopes,
      caller.credential.id,
      caller.credential.type,
    ],
    ['customer-1', 'external', API, ['orders:read'], server.key.id, 'api_key'],
  )
})

it('refuses one for another upstream, of another issuer, and one that is over', async () => {
  assert.equal(await codeOf(verifier({ audience: 'https://other.example' }), token), 'wrong_resource')
  assert.equal(await codeOf(verifier({ server: 'https://other.example' }), token), 'unknown')
  const later = verifier({ now: () => server.clock.nowMs() + 61_000 })
  assert.equal(await codeOf(later, token), 'expired')
  const earlier = verifier({ now: () => server.clock.nowMs() - 60_000 })
  assert.equal(await codeOf(earlier, token), 'not_yet_valid')
})

it('refuses what was not signed by the deployment, whatever it says of itself', async () => {
  const [header = '', payload = '', signature = ''] = token.split('.')
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = encode({ ...claimsOf(token), sub: 'root' })
  assert.equal(await codeOf(identify, `${header}.${claims}.${signature}`), 'unknown')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const forged = `${header}.${claims}`
  assert.equal(await codeOf(identify, `${forged}.${signJws('ES256', key, forged)}`), 'unknown')
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  for (const other of [
    { alg: 'none', typ: 'postern-identity+jwt', kid },
    { alg: 'HS256', typ: 'postern-identity+jwt', kid },
    { alg: 'ES256', typ: 'at+jwt', kid },
    { alg: 'ES256', kid },
  ])
    assert.equal(await codeOf(identify, `${encode(other)}.${payload}.${signature}`), 'unsupported')
  const elsewhere = encode({ alg: 'ES256', typ: 'postern-identity+jwt', kid: 'nobody' })
  assert.equal(await codeOf(identify, `${elsewhere}.${payload}.${signature}`), 'unknown')
})

it('refuses what is no token, and says that it cannot tell without keys', async () => {
  for (const text of [undefined, '']) assert.equal(await codeOf(identify, text), 'missing')
  for (const text of ['a', 'a.b', 'a.b.c.d', `${token}.x`, `${'a'.repeat(9_000)}.b.c`])
    assert.equal(await codeOf(identify, text), 'malformed', text.slice(0, 20))
  const cut = verifier({ fetch: () => Promise.reject(new Error('no network')) })
  assert.equal(await codeOf(cut, token), 'unavailable')
})

it('asks whether the credential has ended since, with its place in the feed', async () => {
  const asked: [readonly string[], number][] = []
  const follower = verifier({
    endedSince: (refs, position) => {
      asked.push([refs, position])
      return refs.includes(`api_key:${server.key.id}`)
    },
  })
  assert.equal(await codeOf(follower, token), 'revoked')
  assert.equal(asked[0]?.[1], claimsOf(token).rsn)
})

it('fetches the keys once for many tokens, and not again for keys that somebody invents', async () => {
  let fetched = 0
  const counting = verifier({
    fetch: (_url, init) => {
      fetched++
      return fetch(`http://127.0.0.1:${server.port}/jwks`, init)
    },
  })
  await Promise.all(Array.from({ length: 20 }, () => counting(token)))
  const [, payload = '', signature = ''] = token.split('.')
  for (let count = 0; count < 20; count++) {
    const header = { alg: 'ES256', typ: 'postern-identity+jwt', kid: `invented ${count}` }
    await counting(`${Buffer.from(JSON.stringify(header)).toString('base64url')}.${payload}.${signature}`)
  }
  assert.equal(fetched, 1)
})
