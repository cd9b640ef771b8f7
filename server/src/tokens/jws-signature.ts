/** Signing and checking by node:crypto, synchronously: through WebCrypto's promises the same costs several times as much. */
import { sign, type KeyObject, verify } from 'node:crypto'

/** What each algorithm of RFC 7518 (and RFC 8037) is to node:crypto. HS* and `none` are not here and never will be. */
const PSS = { padding: 6, saltLength: -1 } as const
const P1363 = { dsaEncoding: 'ieee-p1363' } as const
const ALGORITHMS = {
  ES256: { digest: 'sha256', options: P1363 },
  ES384: { digest: 'sha384', options: P1363 },
  ES512: { digest: 'sha512', options: P1363 },
  RS256: { digest: 'sha256', options: {} },
  RS384: { digest: 'sha384', options: {} },
  RS512: { digest: 'sha512', options: {} },
  PS256: { digest: 'sha256', options: PSS },
  PS384: { digest: 'sha384', options: PSS },
  PS512: { digest: 'sha512', options: PSS },
  EdDSA: { digest: null, options: {} },
} as const

export type JwsAlgorithm = keyof typeof ALGORITHMS
export const JWS_ALGORITHMS = Object.keys(ALGORITHMS) as JwsAlgorithm[]

export function signJws(alg: JwsAlgorithm, key: KeyObject, input: string): string {
  const { digest, options } = ALGORITHMS[alg]
  return sign(digest, Buffer.from(input, 'latin1'), { key, ...options }).toString('base64url')
}

/** `alg` is the key's, never the token's. */
export function verifyJws(alg: JwsAlgorithm, key: KeyObject, input: string, signature: Buffer): boolean {
  const { digest, options } = ALGORITHMS[alg]
  return verify(digest, Buffer.from(input, 'latin1'), { key, ...options }, signature)
}

/** The algorithms that a key of this kind can have; empty for one that is too weak or of another kind. */
export function algorithmsOf(key: KeyObject): readonly JwsAlgorithm[] {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ed25519') return ['EdDSA']
  // RFC 7518, section 3.3: 2048 bits or more. Beyond 8192 a check would cost milliseconds.
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0
    return bits >= 2048 && bits <= 8192 ? JWS_ALGORITHMS.filter((alg) => /^[RP]S/.test(alg)) : []
  }
  if (type !== 'ec') return []
  const byCurve: Readonly<Record<string, JwsAlgorithm>> = {
    prime256v1: 'ES256',
    secp384r1: 'ES384',
    secp521r1: 'ES512',
  }
  const alg = byCurve[details?.namedCurve ?? '']
  return alg ? [alg] : []
}
