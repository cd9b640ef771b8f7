/**
 * Checks a DPoP proof at a resource (RFC 9449, section 4.3). Synchronous, no I/O. It does not say whether the proof was
 * seen before: whoever accepts it remembers its `id` until `endsAtMs`.
 */
import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { PROOF_ALGORITHMS } from '../kernel/index.ts'
import { isPlainText } from './access-token.ts'
import { decodeHeader, decodeJsonObject, decodeSegment, splitCompactJws } from './compact-jws.ts'
import { thumbprint } from './generate-key.ts'
import { httpTarget } from './http-target.ts'
import { algorithmsOf, type JwsAlgorithm, verifyJws } from './jws-signature.ts'

export interface ProofExpectations {
  /** The access token that came with it. */
  readonly token: string
  /** The token's `cnf.jkt`: the key that it is bound to. */
  readonly jkt: string
  readonly method: string
  /** Absolute, as the caller named it. */
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
export const PROOF_WINDOW_MS = 60_000

/** Undefined when anything about it is wrong: whoever made it for another request learns no more. */
export function checkDpopProof(text: string, expected: ProofExpectations): AcceptedProof | undefined {
  const jws = splitCompactJws(text)
  const header = jws && decodeHeader(jws.header)
  if (!jws || !header) return undefined
  if (typeof header['typ'] !== 'string' || !/^(application\/)?dpop\+jwt$/i.test(header['typ']))
    return undefined
  const jwk = publicMembers(header['jwk'])
  // Before the signature: another key's proof costs us no more than a hash.
  if (!jwk || thumbprint(jwk) !== expected.jkt) return undefined
  const key = importKey(jwk)
  const alg = key && algorithmFor(key, header['alg'], jwk)
  if (!alg || !verifyJws(alg, key, jws.signingInput, decodeSegment(jws.signature))) return undefined

  const claims = decodeJsonObject(jws.payload)
  if (!claims || !CLAIM_RULES.every((rule) => rule(claims, expected))) return undefined
  return {
    id: hash('sha256', `${expected.jkt} ${claims['jti'] as string}`, 'base64url'),
    endsAtMs: (claims['iat'] as number) * 1000 + PROOF_WINDOW_MS,
  }
}

/** RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1: a key that its owner gave away proves nothing. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'] as const

function publicMembers(jwk: unknown): Readonly<Record<string, string>> | undefined {
  if (typeof jwk !== 'object' || jwk === null || PRIVATE_MEMBERS.some((name) => name in jwk)) return undefined
  const { kty, crv, x, y, n, e, alg, use } = jwk as Members
  if (use !== undefined && use !== 'sig') return undefined
  const named = Object.entries({ kty, crv, x, y, n, e, alg }).filter(([, value]) => value !== undefined)
  const isText = named.every(([, value]) => typeof value === 'string')
  return isText ? (Object.fromEntries(named) as Record<string, string>) : undefined
}

function importKey(jwk: Readonly<Record<string, string>>): KeyObject | undefined {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** The proof names its algorithm, and the key has to be one of that algorithm: never the other way round. */
function algorithmFor(
  key: KeyObject,
  alg: unknown,
  jwk: Readonly<Record<string, string>>,
): JwsAlgorithm | undefined {
  const known = PROOF_ALGORITHMS.find((name) => name === alg)
  if (!known || (jwk['alg'] !== undefined && jwk['alg'] !== known)) return undefined
  // RFC 9864 gives EdDSA on this curve a name of its own.
  const algorithm = known === 'Ed25519' ? 'EdDSA' : known
  return algorithmsOf(key).includes(algorithm) ? algorithm : undefined
}

type ClaimRule = (claims: Members, expected: ProofExpectations) => boolean

const forMethod: ClaimRule = ({ htm }, { method }) => htm === method

const forTarget: ClaimRule = ({ htu }, { url }) => {
  const target = typeof htu === 'string' ? httpTarget(htu) : undefined
  return target !== undefined && target === httpTarget(url)
}

const forToken: ClaimRule = ({ ath }, { token }) => ath === hash('sha256', token, 'base64url')

const made: ClaimRule = ({ iat }, { nowMs }) =>
  typeof iat === 'number' && Math.abs(nowMs - iat * 1000) <= PROOF_WINDOW_MS

/** RFC 7519, sections 4.1.4 and 4.1.5: a proof need not say these, but is held to them. */
const atItsTime: ClaimRule = ({ exp = Infinity, nbf = -Infinity }, { nowMs }) =>
  typeof exp === 'number' &&
  typeof nbf === 'number' &&
  nowMs < exp * 1000 &&
  nowMs >= nbf * 1000 - PROOF_WINDOW_MS

const named: ClaimRule = ({ jti }) => isPlainText(jti)

const CLAIM_RULES: readonly ClaimRule[] = [forMethod, forTarget, forToken, made, atItsTime, named]
