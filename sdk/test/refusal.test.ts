import assert from 'node:assert/strict'
import { test } from 'node:test'
import { denial, DENIALS, type DenialCode } from '../src/denial.ts'
import { refusal } from '../src/refusal.ts'

function challenge(code: DenialCode, scopes?: string[]): string | undefined {
  return refusal(denial(code, scopes && { scopes }), { realm: 'orders' }).headers['www-authenticate']
}

test('tells who presented nothing of no error (RFC 6750, section 3.1)', () => {
  assert.equal(challenge('missing'), 'Bearer realm="orders"')
})

test('challenges every 401, and names the error of a presented credential', () => {
  for (const [code, { status }] of Object.entries(DENIALS)) {
    if (status !== 401) continue
    const text = challenge(code as DenialCode)
    assert.match(text ?? '', /^Bearer realm="orders"/, code)
    if (code !== 'missing') assert.match(text ?? '', /, error="[a-z_]+", error_description="[^"\\]+"$/, code)
  }
  assert.match(
    challenge('revoked') ?? '',
    /error="invalid_token", error_description="The credential has been revoked\."/,
  )
  assert.match(challenge('insufficient_authentication') ?? '', /error="insufficient_user_authentication"/)
})

test('names the scopes that are needed with a 403', () => {
  assert.equal(
    challenge('insufficient_scope', ['orders:read', 'orders:write']),
    'Bearer realm="orders", error="insufficient_scope", ' +
      'error_description="The credential lacks a scope that this needs.", scope="orders:read orders:write"',
  )
  assert.equal(challenge('ip_not_allowed'), undefined)
})

test('says when to come back with 429 and 503, in whole seconds', () => {
  for (const code of ['rate_limited', 'quota_exceeded', 'unavailable', 'stale'] as const) {
    assert.equal(refusal(denial(code), { realm: 'a' }).headers['retry-after'], '1', code)
    const later = refusal(denial(code, { retryAfterSeconds: 2.1 }), { realm: 'a' })
    assert.equal(later.headers['retry-after'], '3', code)
    assert.equal(later.headers['www-authenticate'], undefined, code)
  }
  assert.equal(refusal(denial('missing'), { realm: 'a' }).headers['retry-after'], undefined)
})

test('has a problem document that no cache keeps', () => {
  const { status, headers, body } = refusal(denial('expired'), { realm: 'a' })
  assert.equal(status, 401)
  assert.equal(headers['content-type'], 'application/problem+json')
  assert.equal(headers['cache-control'], 'no-store')
  assert.deepEqual(body, {
    type: 'about:blank',
    title: 'Unauthorized',
    status: 401,
    code: 'expired',
    detail: 'The credential has expired.',
  })
})

test('cannot be split by its realm', () => {
  const { headers } = refusal(denial('missing'), { realm: 'a"b\\c\r\nSet-Cookie: x' })
  assert.equal(headers['www-authenticate'], String.raw`Bearer realm="a\"b\\c??Set-Cookie: x"`)
})

const API = {
  metadataUrl: 'https://a.example/.well-known/oauth-protected-resource',
  dpopAlgorithms: ['ES256'],
}
const ADVERTISED = { realm: 'orders', protectedResource: API, scopes: ['orders:read'] }

test('leads an OAuth client to the metadata, and says which scopes to ask for (RFC 9728, section 5.1)', () => {
  assert.equal(
    refusal(denial('missing'), ADVERTISED).headers['www-authenticate'],
    `Bearer realm="orders", scope="orders:read", resource_metadata="${API.metadataUrl}", DPoP algs="ES256"`,
  )
  assert.equal(
    refusal(denial('insufficient_scope', { scopes: ['orders:write'] }), ADVERTISED).headers[
      'www-authenticate'
    ],
    'Bearer realm="orders", error="insufficient_scope", ' +
      'error_description="The credential lacks a scope that this needs.", scope="orders:write", ' +
      `resource_metadata="${API.metadataUrl}"`,
  )
  assert.equal(refusal(denial('ip_not_allowed'), ADVERTISED).headers['www-authenticate'], undefined)
  assert.doesNotMatch(challenge('revoked') ?? '', /scope|resource_metadata|DPoP/)
})

test('names a bad proof in the challenge of DPoP (RFC 9449, section 7.1)', () => {
  const about = (code: DenialCode) => refusal(denial(code), ADVERTISED).headers['www-authenticate'] ?? ''
  assert.match(
    about('proof_invalid'),
    /^Bearer realm="orders", scope="orders:read", resource_metadata="[^"]+", DPoP realm="orders", error="invalid_dpop_proof", error_description="[^"]+", algs="ES256"$/,
  )
  assert.match(
    about('proof_required'),
    /, DPoP realm="orders", error="invalid_token", error_description="[^"]+", algs=/,
  )
  assert.match(
    challenge('proof_invalid') ?? '',
    /, DPoP realm="orders", error="invalid_dpop_proof", error_desc/,
  )
})

test('says what the next sign-in has to be (RFC 9470, section 3)', () => {
  const stepUp = denial('insufficient_authentication', { acrValues: ['urn:a', 'urn:b'], maxAgeSeconds: 300 })
  assert.equal(
    refusal(stepUp, { realm: 'orders' }).headers['www-authenticate'],
    'Bearer realm="orders", error="insufficient_user_authentication", ' +
      'error_description="A stronger or newer sign-in is needed.", acr_values="urn:a urn:b", max_age="300"',
  )
  const again = denial('insufficient_authentication', { maxAgeSeconds: 0 })
  assert.match(refusal(again, { realm: 'orders' }).headers['www-authenticate'] ?? '', /, max_age="0"$/)
})
