/** Whoever holds a DPoP key, and the proofs that they make with it (RFC 9449). */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'

export interface DpopHolder {
  readonly privateKey: KeyObject
  readonly jwk: object
  readonly jkt: string
}

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

export const sha256 = (text: string): string => createHash('sha256').update(text).digest('base64url')

export function dpopHolder(): DpopHolder {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' })
  return { privateKey, jwk: { crv, kty, x, y }, jkt: sha256(JSON.stringify({ crv, kty, x, y })) }
}

export function proof(
  { privateKey, jwk }: Pick<DpopHolder, 'privateKey' | 'jwk'>,
  claims: object,
  header: object = {},
): string {
  const input = `${encoded({ typ: 'dpop+jwt', alg: 'ES256', jwk, ...header })}.${encoded(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}

/** What a proof says for one request; with a token at a resource, without one at a token endpoint. */
export function proofClaims(
  htm: string,
  htu: string,
  { token, nowMs = Date.now() }: { readonly token?: string; readonly nowMs?: number } = {},
): object {
  return {
    htm,
    htu,
    jti: randomUUID(),
    iat: Math.floor(nowMs / 1000),
    ...(token !== undefined && { ath: sha256(token) }),
  }
}
