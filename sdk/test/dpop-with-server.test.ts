/** A token that the real token endpoint bound to a key, verified in the service; and what is asked of the real server. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { freshSqlite, type TestDatabase } from '../../server/test/databases.ts'
import {
  API,
  basic,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../server/test/oauth-server.ts'
import { createVerifier, type Result, type Verifier, type VerifierOptions } from '../src/index.ts'
import { dpopHolder, proof, proofClaims } from './support/dpop-holder.ts'

let database: TestDatabase
let server: OAuthServer
const key = dpopHolder()
const open: Verifier[] = []

before(async () => {
  database = freshSqlite()
  server = await openOAuthServer(database)
  await newResource(server)
})
after(async () => {
  for (const verifier of open) verifier.close()
  await server.close()
  await database.drop()
})

function verifierOf(options: Partial<VerifierOptions> = {}): Verifier {
  const verifier = createVerifier({
    server: server.issuer,
    credential: server.operatorKey,
    resource: API,
    ...options,
  })
  open.push(verifier)
  return verifier
}

async function boundToken(): Promise<string> {
  const client = await newClient(server, { resources: [{ resource: API }] })
  const { status, body } = await server.form(
    '/token',
    { grant_type: 'client_credentials', resource: API },
    {
      ...basic(client.id, client.client_secret),
      dpop: proof(key, proofClaims('POST', `${server.issuer}/token`)),
    },
  )
  assert.equal(status, 200, JSON.stringify(body))
  assert.equal(body.token_type, 'DPoP')
  return body.access_token as string
}

const codeOf = (result: Result): string => (result.valid ? 'valid' : result.code)
const URL_OF_ORDERS = 'https://api.example.test/orders'
const request = (authorization: string, dpop?: string) => ({
  method: 'GET',
  url: '/orders?page=2',
  headers: { authorization, ...(dpop !== undefined && { dpop }) },
})

for (const [how, options] of [
  ['in the service', {}],
  ['by the server, where there is no feed', { live: false, cacheSeconds: 0 }],
] as const)
  test(`takes a bound token with its proof alone, judged ${how}`, async () => {
    const asked: object[] = []
    const spying: typeof fetch = (input, init) => {
      if (String(input).endsWith('/v1/verify')) asked.push(JSON.parse(String(init?.body)) as object)
      return fetch(input, init)
    }
    const verifier = verifierOf({ ...options, fetch: spying })
    if (!('live' in options)) assert.ok(await verifier.ready(10_000))
    const token = await boundToken()
    const fresh = () => proof(key, proofClaims('GET', URL_OF_ORDERS, { token }))
    const dpop = fresh()
    const principal = await verifier.verify(request(`DPoP ${token}`, dpop))
    assert.ok(principal.valid, codeOf(principal))
    assert.equal(principal.cnf?.jkt, key.jkt)
    assert.equal(codeOf(await verifier.verify(request(`DPoP ${token}`, dpop))), 'proof_invalid')
    const foreign = proof(dpopHolder(), proofClaims('GET', URL_OF_ORDERS, { token }))
    assert.equal(codeOf(await verifier.verify(request(`DPoP ${token}`, foreign))), 'proof_invalid')
    assert.equal(codeOf(await verifier.verify(request(`DPoP ${token}`))), 'proof_required')
    assert.equal(codeOf(await verifier.verify(request(`Bearer ${token}`, fresh()))), 'proof_required')
    assert.equal(codeOf(await verifier.verify(token)), 'proof_required')
    assert.equal(codeOf(await verifier.verify(request(`DPoP ${token}`, fresh()))), 'valid')
    if (!('live' in options)) assert.deepEqual(asked, [])
    else
      for (const question of asked as Record<string, unknown>[])
        assert.deepEqual(
          [question['method'], question['url']],
          question['dpop'] === undefined ? [undefined, undefined] : ['GET', `${URL_OF_ORDERS}?page=2`],
        )
  })

test('an unbound key passes as a bearer with a proof beside it, and not as DPoP', async () => {
  const issued = await server.manage('POST', '/v1/keys', {
    name: 'a key',
    owner: 'acct_7',
    resource: API,
    scopes: ['orders:read'],
  })
  const fresh = () => proof(key, proofClaims('GET', URL_OF_ORDERS, { token: issued.key }))
  for (const verifier of [verifierOf(), verifierOf({ live: false, cacheSeconds: 0 })]) {
    assert.equal(codeOf(await verifier.verify(request(`Bearer ${issued.key}`, fresh()))), 'valid')
    assert.equal(codeOf(await verifier.verify(request(`DPoP ${issued.key}`, fresh()))), 'proof_invalid')
    assert.equal(codeOf(await verifier.verify(request(`Bearer ${issued.key}`))), 'valid')
  }
})
