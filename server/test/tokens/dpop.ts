/** For tests: whoever holds a DPoP key, and makes proofs with it that are sound or spoiled. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { thumbprint } from '../../src/tokens/generate-key.ts'
import type { JwsAlgorithm } from '../../src/tokens/jws-signature.ts'
import { forge, type Loose } from './forge.ts'

export interface DpopHolder {
  readonly jkt: string
  readonly publicJwk: Record<string, string>
  readonly privateKey: KeyObject
  /** Members that are undefined are left away. */
  prove(claims: Loose, header?: Loose): string
}

export function dpopHolder(alg: JwsAlgorithm = 'ES256', rsaBits = 2048): DpopHolder {
  const { publicKey, privateKey } = pairFor(alg, rsaBits)
  const publicJwk = publicKey.export({ format: 'jwk' }) as Record<string, string>
  return {
    jkt: thumbprint(publicJwk),
    publicJwk,
    privateKey,
    prove: (claims, header = {}) =>
      forge(alg, privateKey, { typ: 'dpop+jwt', alg, jwk: publicJwk, ...header }, claims),
  }
}

function pairFor(alg: JwsAlgorithm, rsaBits: number): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519')
  if (alg === 'ES512') return generateKeyPairSync('ec', { namedCurve: 'P-521' })
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' })
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return generateKeyPairSync('rsa', { modulusLength: rsaBits })
}

/** The claims of a proof for this token, as RFC 9449, section 4.2 has them. */
export function proofClaims(token: string, nowMs: number, more: Loose = {}): Loose {
  return {
    jti: randomBytes(12).toString('base64url'),
    iat: Math.floor(nowMs / 1000),
    ath: createHash('sha256').update(token).digest('base64url'),
    ...more,
  }
}
