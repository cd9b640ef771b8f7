/** For tests: tokens that are sound, and tokens that are not. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { AccessTokenClaims } from '../../src/tokens/access-token.ts'
import { type JwsAlgorithm, signJws } from '../../src/tokens/jws-signature.ts'
import type { SigningKeys } from '../../src/tokens/signing-keys.ts'
import type { SigningAlgorithm } from '../../src/tokens/signing-key.ts'

export type Loose = Readonly<Record<string, unknown>>

export function base64url(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString('base64url')
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** Signs whatever it is given: header and payload as values, or as the very text or bytes. */
export function forge(
  alg: JwsAlgorithm,
  key: KeyObject,
  header: Loose | string,
  payload: Loose | string | Buffer,
): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${signJws(alg, key, input)}`
}

/** Like `forge`, with the active key and its own header. */
export function forgeOwn(
  keys: SigningKeys,
  payload: Loose | string | Buffer,
  header: Loose = {},
  algorithm: SigningAlgorithm = 'ES256',
): string {
  const { kid, alg, privateKey } = keys.active(algorithm)
  return forge(alg, privateKey, { alg, typ: 'at+jwt', kid, ...header }, payload)
}

export function claimsFor(
  nowMs: number,
  base: Pick<AccessTokenClaims, 'iss' | 'aud' | 'tenant' | 'rsn'>,
  more: Partial<AccessTokenClaims> = {},
): AccessTokenClaims {
  const iat = Math.floor(nowMs / 1000)
  return {
    sub: 'usr_0000000000000000000001',
    client_id: 'cli_0000000000000000000001',
    jti: `jti-${Math.random().toString(36).slice(2)}`,
    scope: 'read write',
    iat,
    exp: iat + 900,
    ...base,
    ...more,
  }
}

export function p256(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}
