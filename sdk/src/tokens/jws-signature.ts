/**
 * Checks signatures, by `node:crypto` where there is one and WebCrypto elsewhere. A key is imported for one algorithm,
 * which is the key's and never the token's.
 */
import { bytesOf } from '../base64url.ts'
import { nodeCrypto, type NodeCrypto } from '../node-crypto.ts'

export interface SignatureKey {
  readonly alg: JwsAlgorithm
  /** Whether `signature` is this key's over `input`, which is ASCII. */
  verify(input: string, signature: Uint8Array<ArrayBuffer>): boolean | Promise<boolean>
}

export type Jwk = Readonly<Record<string, unknown>>

/** HS* and `none` are not here and never will be. */
const ALGORITHMS = {
  ES256: { kty: 'EC', crv: 'P-256', hash: 'sha256' },
  ES384: { kty: 'EC', crv: 'P-384', hash: 'sha384' },
  ES512: { kty: 'EC', crv: 'P-521', hash: 'sha512' },
  RS256: { kty: 'RSA', crv: undefined, hash: 'sha256' },
  RS384: { kty: 'RSA', crv: undefined, hash: 'sha384' },
  RS512: { kty: 'RSA', crv: undefined, hash: 'sha512' },
  PS256: { kty: 'RSA', crv: undefined, hash: 'sha256' },
  PS384: { kty: 'RSA', crv: undefined, hash: 'sha384' },
  PS512: { kty: 'RSA', crv: undefined, hash: 'sha512' },
  EdDSA: { kty: 'OKP', crv: 'Ed25519', hash: null },
} as const

export type JwsAlgorithm = keyof typeof ALGORITHMS

/** RFC 7518, section 3.3: 2048 bits or more. Beyond 8192 a check would cost milliseconds. */
const FEWEST_RSA_CHARACTERS = Math.ceil((2048 / 8) * (4 / 3)) - 1
const MOST_RSA_CHARACTERS = Math.ceil((8192 / 8) * (4 / 3)) + 2

export function isJwsAlgorithm(name: unknown): name is JwsAlgorithm {
  return typeof name === 'string' && Object.hasOwn(ALGORITHMS, name)
}

/** Undefined for a key that is not of this algorithm, too weak, or not to be read. Never rejects. */
export function importKey(
  jwk: Jwk,
  alg: JwsAlgorithm,
): SignatureKey | undefined | Promise<SignatureKey | undefined> {
  const { kty, crv } = ALGORITHMS[alg]
  if (jwk['kty'] !== kty || (crv !== undefined && jwk['crv'] !== crv)) return undefined
  if (kty === 'RSA' && !isStrongEnough(jwk['n'])) return undefined
  const node = nodeCrypto()
  if (node instanceof Promise) return node.then((found) => importWith(found, jwk, alg))
  return importWith(node, jwk, alg)
}

function isStrongEnough(modulus: unknown): boolean {
  if (typeof modulus !== 'string') return false
  return modulus.length >= FEWEST_RSA_CHARACTERS && modulus.length <= MOST_RSA_CHARACTERS
}

function importWith(node: NodeCrypto | undefined, jwk: Jwk, alg: JwsAlgorithm) {
  const { createPublicKey, verify } = node ?? {}
  return createPublicKey && verify ? nodeKey({ createPublicKey, verify }, jwk, alg) : webKey(jwk, alg)
}

const PSS = { padding: 6, saltLength: -1 } as const
const P1363 = { dsaEncoding: 'ieee-p1363' } as const

function nodeKey(
  { createPublicKey, verify }: Required<Pick<NodeCrypto, 'createPublicKey' | 'verify'>>,
  jwk: Jwk,
  alg: JwsAlgorithm,
): SignatureKey | undefined {
  try {
    const { hash } = ALGORITHMS[alg]
    const more = alg.startsWith('PS') ? PSS : alg.startsWith('ES') ? P1363 : {}
    const key = { key: createPublicKey({ key: jwk, format: 'jwk' }), ...more }
    return { alg, verify: (input, signature) => verify(hash, bytesOf(input), key, signature) }
  } catch {
    return undefined
  }
}

async function webKey(jwk: Jwk, alg: JwsAlgorithm): Promise<SignatureKey | undefined> {
  try {
    const { hash, crv } = ALGORITHMS[alg]
    const digest = hash === null ? undefined : `SHA-${hash.slice(3)}`
    const name = WEB_NAMES[alg.slice(0, 2)] as string
    const { kty, n, e, x, y } = jwk
    const { subtle } = crypto
    const key = await subtle.importKey(
      'jwk',
      { kty, ...(crv && { crv }), n, e, x, y } as { kty: string },
      { name, ...(digest && { hash: digest }), ...(crv && { namedCurve: crv }) },
      false,
      ['verify'],
    )
    // RFC 7518, section 3.5: the salt is as long as the digest.
    const use = { name, ...(digest && { hash: digest }), saltLength: Number(hash?.slice(3) ?? 0) / 8 }
    // Awaited here: on some edge runtimes WebCrypto's promises are of another realm, and no `Promise` of ours. Taken for an
    // answer, such an object would be as good as a yes.
    const verify = async (input: string, signature: Uint8Array<ArrayBuffer>) =>
      (await subtle.verify(use, key, signature, bytesOf(input))) === true
    return { alg, verify }
  } catch {
    return undefined
  }
}

const WEB_NAMES: Readonly<Record<string, string>> = {
  ES: 'ECDSA',
  RS: 'RSASSA-PKCS1-v1_5',
  PS: 'RSA-PSS',
  Ed: 'Ed25519',
}
