/** Tokens that are bound to a key (RFC 9449), and sign-ins that are strong and recent enough (RFC 9470). */
import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { test } from 'node:test'
import type { Result } from '../src/index.ts'
import { createTestIssuer } from '../src/testing/index.ts'

async function code(result: Result | Promise<Result>): Promise<string> {
  const settled = await result
  return settled.valid ? 'valid' : settled.code
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

function holder() {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  return { privateKey, jwk: { crv, kty, x, y }, jkt: sha256(JSON.stringify({ crv, kty, x, y })) }
}

function proof(
  { privateKey, jwk }: { privateKey: KeyObject; jwk: object },
  claims: object,
  header: object = {},
): string {
  const input = `${encoded({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header })}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

async function setUp() {
  const issuer = await createTestIssuer()
  const verifier = await issuer.createLiveVerifier()
  const key = holder()
  const { text: token } = await issuer.issueToken({ claims: { cnf: { jkt: key.jkt } } })
  const claims = (changes: object = {}) => ({
    htm: 'GET',
    htu: 'https://api.example.com/orders',
    ath: sha256(token),
    jti: randomUUID(),
    iat: Math.floor(issuer.clock.nowMs() / 1000),
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
    'another key': proof(holder(), claims()),
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
