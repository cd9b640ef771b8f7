/** Makes key pairs, off the event loop's thread, and names them. */
import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import type { PublicJwk, SigningAlgorithm } from './signing-key.ts'

const generate = promisify(generateKeyPair)

export interface FreshKey {
  readonly kid: string
  readonly algorithm: SigningAlgorithm
  readonly publicJwk: PublicJwk
  /** PKCS #8, DER. */
  readonly privateDer: Buffer
}

export async function generateSigningKey(algorithm: SigningAlgorithm): Promise<FreshKey> {
  const { publicKey, privateKey } = await pairOf(algorithm)
  const jwk = publicKey.export({ format: 'jwk' }) as Record<string, string>
  const kid = thumbprint(jwk)
  return {
    kid,
    algorithm,
    publicJwk: { ...jwk, kty: jwk['kty'] as string, kid, alg: algorithm, use: 'sig' },
    privateDer: privateKey.export({ format: 'der', type: 'pkcs8' }),
  }
}

function pairOf(algorithm: SigningAlgorithm): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> {
  if (algorithm === 'ES256') return generate('ec', { namedCurve: 'P-256' })
  if (algorithm === 'RS256') return generate('rsa', { modulusLength: 2048 })
  return generate('ed25519')
}

const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  RSA: ['e', 'kty', 'n'],
  OKP: ['crv', 'kty', 'x'],
}

/** RFC 7638, section 3: SHA-256 over the required members in the order of their names. */
export function thumbprint(jwk: Readonly<Record<string, string>>): string {
  const members = MEMBERS[jwk['kty'] ?? ''] ?? []
  const canonical = Object.fromEntries(members.map((name) => [name, jwk[name]]))
  return createHash('sha256').update(JSON.stringify(canonical)).digest('base64url')
}
