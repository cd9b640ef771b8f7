/** Tokens that are bound to a key (RFC 9449), and sign-ins that are strong and recent enough (RFC 9470). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { createTestIssuer } from '../src/testing/index.ts'
import { dpopHolder, proof, proofClaims, sha256 } from './support/dpop-holder.ts'

async function code(result: Result | Promise<Result>): Promise<string> {
  const settled = await result
  return settled.valid ? 'valid' : settled.code
}

async function setUp() {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const key = dpopHolder()
  const { text: token } = await issuer.issueToken({ claims: { cnf: { jkt: key.jkt } } })
  const claims = (changes: object = {}) => ({
    ...proofClaims('GET', 'https://api.example.com/orders', { token, nowMs: issuer.clock.nowMs() }),
    ...changes,
  })
  const request = (dpop: string | undefined, changes: object = {}) => ({
    method: 'GET',
    url: '/orders?page=2',
    headers: { host: 'evil.example', authorization: `DPoP ${token}`, ...(dpop !== undefined && { dpop }) },
    ...changes,
  })
  return { issuer, verifier, key, token, claims, request }
}

test('takes a bound token with a proof for this very request, once', async () => {
  const { verifier, key, claims, request } = await setUp()
  const dpop = proof(key, claims())
  assert.equal(await code(verifier.verify(request(dpop))), 'valid')
  assert.equal(await code(verifier.verify(request(dpop))), 'proof_invalid')
  assert.equal(await code(verifier.verify(request(proof(key, claims())))), 'valid')
})

test('refuses a bound token without its scheme or its proof', async () => {
  const { verifier, token, request } = await setUp()
  assert.equal(await code(verifier.verify(request(undefined))), 'proof_required')
  const headers = { authorization: `Bearer ${token}` }
  assert.equal(await code(verifier.verify({ url: '/', headers })), 'proof_required')
  assert.equal(await code(verifier.verify(token)), 'proof_required')
})

test('refuses every proof that is not for this request, or not by this key', async () => {
  const { verifier, issuer, key, claims, request } = await setUp()
  const nowSeconds = Math.floor(issuer.clock.nowMs() / 1000)
  const privateJwk = key.privateKey.export({ format: 'jwk' })
  const faulty: Readonly<Record<string, string>> = {
    'another method': proof(key, claims({ htm: 'POST' })),
    'another path': proof(key, claims({ htu: 'https://api.example.com/orders/7' })),
    'the host that the request claims': proof(key, claims({ htu: 'https://evil.example/orders' })),
    'plain http': proof(key, claims({ htu: 'http://api.example.com/orders' })),
    'another token': proof(key, claims({ ath: sha256('another') })),
    'no ath': proof(key, claims({ ath: undefined })),
    'no jti': proof(key, claims({ jti: undefined })),
    'too old': proof(key, claims({ iat: nowSeconds - 61 })),
    'from the future': proof(key, claims({ iat: nowSeconds + 62 })),
    'another key': proof(dpopHolder(), claims()),
    'a private key in it': proof(key, claims(), { jwk: privateJwk }),
    'another type': proof(key, claims(), { typ: 'JWT' }),
    'no algorithm': proof(key, claims(), { alg: 'none' }),
    'a symmetric algorithm': proof(key, claims(), { alg: 'HS256' }),
    'an algorithm of another key': proof(key, claims(), { alg: 'ES384' }),
    'critical members': proof(key, claims(), { crit: ['b64'], b64: false }),
    'two proofs': `${proof(key, claims())}, ${proof(key, claims())}`,
    'no proof at all': 'proof',
  }
  for (const [what, dpop] of Object.entries(faulty))
    assert.equal(await code(verifier.verify(request(dpop))), 'proof_invalid', what)
  assert.equal(await code(verifier.verify(request(proof(key, claims())))), 'valid')
})

test('refuses an unbound token that comes as a bound one', async () => {
  const { verifier, issuer, key, claims, request } = await setUp()
  const { text } = await issuer.issueToken()
  const dpop = proof(key, claims({ ath: sha256(text) }))
  const headers = { authorization: `DPoP ${text}`, dpop }
  assert.equal(await code(verifier.verify(request(undefined, { headers }))), 'proof_invalid')
})

test('asks for the sign-in that a route needs, and says what it asked', async () => {
  const { verifier, issuer } = await setUp()
  const signedIn = Math.floor(issuer.clock.nowMs() / 1000) - 100
  const { text } = await issuer.issueToken({ claims: { acr: 'high', auth_time: signedIn } })
  assert.equal(
    await code(verifier.verify(text, { acrValues: ['higher', 'high'], maxAgeSeconds: 100 })),
    'valid',
  )
  const refused = await verifier.verify(text, { acrValues: ['higher'], maxAgeSeconds: 99 })
  assert.ok(!refused.valid)
  assert.equal(refused.code, 'insufficient_authentication')
  assert.deepEqual([refused.acrValues, refused.maxAgeSeconds], [['higher'], 99])
  assert.equal(
    await code(verifier.verify(issuer.issueKey().text, { maxAgeSeconds: 10 })),
    'insufficient_authentication',
  )
})

test('refuses every proof where the service does not say where it is, or what the method was', async () => {
  const { issuer, key, claims, request } = await setUp()
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const verifier = await issuer.createLiveVerifier({ onWarning })
  const nameless = request(proof(key, claims()), { method: undefined })
  assert.equal(await code(verifier.verify(nameless)), 'proof_invalid')
  assert.match(warnings[0] ?? '', /method/)
  const urn = await issuer.createLiveVerifier({ resource: 'urn:example:api', onWarning })
  assert.equal(await code(urn.verify(request(proof(key, claims())))), 'proof_invalid')
  assert.match(warnings[1] ?? '', /publicUrl/)
  assert.equal(issuer.questions.length, 0)
})

test('tells the server of a proof with the scheme DPoP alone, whole', async () => {
  const { issuer, verifier } = await setUp()
  const { text } = issuer.issueKey()
  const dpop = proof(dpopHolder(), proofClaims('GET', 'https://api.example.com/orders', { token: text }))
  const asked = (authorization: string) => ({
    method: 'GET',
    url: '/orders?x=1',
    headers: { authorization, dpop },
  })
  assert.equal(await code(verifier.verify(asked(`Bearer ${text}`))), 'valid')
  const plain = issuer.questions.at(-1) ?? {}
  assert.deepEqual([plain['dpop'], plain['method'], plain['url']], [undefined, undefined, undefined])
  const other = issuer.issueKey()
  await verifier.verify(asked(`DPoP ${other.text}`))
  const proven = issuer.questions.at(-1) ?? {}
  assert.deepEqual(
    [proven['credential'], proven['dpop'], proven['method'], proven['url']],
    [other.text, dpop, 'GET', 'https://api.example.com/orders?x=1'],
  )
})
