/**
 * Checks a DPoP proof at a resource (RFC 9449, section 4.3), with the server's rules. It does not say whether the proof
 * was seen before: whoever accepts it remembers its `id` until `endsAtMs`.
 */
import { decodeBase64url } from '../base64url.ts'
import { digestOf } from '../digest.ts'
import { isPlainText } from './access-token.ts'
import { readProofHeader, splitCompactJws } from './compact-jws.ts'
import { httpTarget } from './http-target.ts'
import { importKey, isJwsAlgorithm, type Jwk } from './jws-signature.ts'
import { decodeJsonObject } from './strict-json.ts'

export interface ProofExpectations {
  /** The access token that came with it. */
  readonly token: string
  /** The token's `cnf.jkt`: the key that it is bound to. */
  readonly jkt: string
  readonly method: string
  /** Absolute, where this API is known to be. */
  readonly url: string
  readonly nowMs: number
}

export interface AcceptedProof {
  /** The key and the `jti`, hashed: two proofs have one only when they are the same. */
  readonly id: string
  /** From then on it is refused for its age. */
  readonly endsAtMs: number
}

type Members = Readonly<Record<string, unknown>>

/** How far its `iat` may be from our clock, in either direction. */
const PROOF_WINDOW_MS = 60_000

/** Undefined when anything about it is wrong: whoever made it for another request learns no more. */
export async function checkDpopProof(
  text: string,
  expected: ProofExpectations,
): Promise<AcceptedProof | undefined> {
  const jws = splitCompactJws(text)
  const header = jws && readProofHeader(jws.header)
  if (!jws || !header) return undefined
  if (typeof header['typ'] !== 'string' || !/^(application\/)?dpop\+jwt$/i.test(header['typ']))
    return undefined
  const jwk = publicMembers(header['jwk'])
  // Before the signature: another key's proof costs no more than a hash.
  if (!jwk || (await thumbprint(jwk)) !== expected.jkt) return undefined
  // The proof names its algorithm, and the key has to be one of that algorithm: never the other way round.
  const { alg } = header
  if (jwk['alg'] !== undefined && jwk['alg'] !== alg) return undefined
  // RFC 9864 gives EdDSA on this curve a name of its own.
  const algorithm = alg === 'Ed25519' ? 'EdDSA' : alg
  const key = isJwsAlgorithm(algorithm) ? await importKey(jwk, algorithm) : undefined
  if (!key || (await key.verify(jws.signingInput, decodeBase64url(jws.signature))) !== true) return undefined

  const claims = decodeJsonObject(jws.payload)
  if (!claims || !CLAIM_RULES.every((rule) => rule(claims, expected))) return undefined
  if (claims['ath'] !== base64urlOfHex(await digestOf(expected.token))) return undefined
  return {
    id: await digestOf(`${expected.jkt} ${claims['jti'] as string}`),
    endsAtMs: (claims['iat'] as number) * 1000 + PROOF_WINDOW_MS,
  }
}

/** RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1: a key that its owner gave away proves nothing. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

function publicMembers(jwk: unknown): Jwk | undefined {
  if (typeof jwk !== 'object' || jwk === null || PRIVATE_MEMBERS.some((name) => name in jwk)) return undefined
  const { kty, crv, x, y, n, e, alg, use } = jwk as Members
  if (use !== undefined && use !== 'sig') return undefined
  const named = Object.entries({ kty, crv, x, y, n, e, alg }).filter(([, value]) => value !== undefined)
  return named.every(([, value]) => typeof value === 'string') ? Object.fromEntries(named) : undefined
}

/** RFC 7638, section 3.2, and RFC 8037: the members that make the key, in this order. */
const MAKING: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  RSA: ['e', 'kty', 'n'],
  OKP: ['crv', 'kty', 'x'],
}

async function thumbprint(jwk: Jwk): Promise<string | undefined> {
  const names = MAKING[jwk['kty'] as string]
  if (!names?.every((name) => jwk[name] !== undefined)) return undefined
  return base64urlOfHex(
    await digestOf(JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])))),
  )
}

function base64urlOfHex(hex: string): string {
  const bytes = hex.match(/../g)?.map((pair) => String.fromCharCode(Number.parseInt(pair, 16))) ?? []
  return btoa(bytes.join('')).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

type ClaimRule = (claims: Members, expected: ProofExpectations) => boolean

const forMethod: ClaimRule = ({ htm }, { method }) => htm === method

const forTarget: ClaimRule = ({ htu }, { url }) => {
  const target = typeof htu === 'string' ? httpTarget(htu) : undefined
  return target !== undefined && target === httpTarget(url)
}

const made: ClaimRule = ({ iat }, { nowMs }) =>
  typeof iat === 'number' && Math.abs(nowMs - iat * 1000) <= PROOF_WINDOW_MS

/** RFC 7519, sections 4.1.4 and 4.1.5: a proof need not say these, but is held to them. */
const atItsTime: ClaimRule = ({ exp = Infinity, nbf = -Infinity }, { nowMs }) =>
  typeof exp === 'number' &&
  typeof nbf === 'number' &&
  nowMs < exp * 1000 &&
  nowMs >= nbf * 1000 - PROOF_WINDOW_MS

const named: ClaimRule = ({ jti }) => isPlainText(jti)

const CLAIM_RULES: readonly ClaimRule[] = [forMethod, forTarget, made, atItsTime, named]
