/** The SDK and the server read tokens alike. */
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { verifyAccessToken as verifyAtTheServer } from '../../server/src/tokens/verify-access-token.ts'
import type { Denial } from '../src/denial.ts'
import { importKeys, NO_KEYS } from '../src/tokens/verification-keys.ts'
import { takeApart, verifyAccessToken } from '../src/tokens/verify-access-token.ts'
import { ISSUER, KID, NOW_MS, RESOURCE, tokenVectors } from './token-vectors.ts'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const vectors = tokenVectors(privateKey, publicKey.export({ type: 'spki', format: 'pem' }) as string)
const expected = { issuer: ISSUER, resource: RESOURCE, nowMs: NOW_MS }

function codeOf(result: { readonly valid: boolean } | Denial): string {
  return 'code' in result ? result.code : 'valid'
}

for (const { name, token, expected: code } of vectors)
  test(`a token with ${name}: ${code}`, async () => {
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: KID, alg: 'ES256', use: 'sig' }
    const keys = await importKeys([jwk], NO_KEYS)
    const taken = takeApart(token)
    assert.equal(taken ? codeOf(await verifyAccessToken(taken, keys, expected)) : 'malformed', code)
    const key = { alg: 'ES256', publicKey, state: 'active' } as const
    const serverKeys = { verificationKey: (kid: string) => (kid === KID ? key : undefined) }
    assert.equal(codeOf(verifyAtTheServer(token, serverKeys, expected)), code, 'at the server')
  })
