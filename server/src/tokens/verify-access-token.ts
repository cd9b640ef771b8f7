/**
 * Verifies an access token of ours: form, key, signature, claims, in this order. Synchronous, no I/O. It does not say
 * whether anything has ended since: see `findPresentedToken`.
 */
import { denial, type Denial, type DenialCode } from '../kernel/index.ts'
import { type AccessTokenClaims, readClaims } from './access-token.ts'
import {
  type CompactJws,
  decodeJsonObject,
  decodeSegment,
  type JwsHeader,
  readJwsHeader,
  splitCompactJws,
} from './compact-jws.ts'
import { verifyJws } from './jws-signature.ts'
import type { VerificationKeys } from './signing-keys.ts'

export interface TokenExpectations {
  readonly issuer: string
  readonly nowMs: number
  /** The URI of the resource that is being called; left away, the caller compares `aud` itself. */
  readonly resource?: string
}

export interface VerifiedToken {
  readonly valid: true
  readonly claims: AccessTokenClaims
  readonly kid: string
}

/** How far a clock may be ahead of ours. */
export const CLOCK_TOLERANCE_SECONDS = 60

type ClaimCheck = (claims: AccessTokenClaims, expected: TokenExpectations) => DenialCode | undefined

const ofIssuer: ClaimCheck = ({ iss }, { issuer }) => (iss === issuer ? undefined : 'unknown')

const forResource: ClaimCheck = ({ aud }, { resource }) =>
  resource === undefined || audiencesOf(aud).includes(resource) ? undefined : 'wrong_resource'

const unexpired: ClaimCheck = ({ exp }, { nowMs }) => (exp * 1000 > nowMs ? undefined : 'expired')

const notFromTheFuture: ClaimCheck = ({ iat, nbf }, { nowMs }) =>
  Math.max(iat, nbf ?? 0) <= nowMs / 1000 + CLOCK_TOLERANCE_SECONDS ? undefined : 'not_yet_valid'

const CLAIM_CHECKS: readonly ClaimCheck[] = [ofIssuer, forResource, unexpired, notFromTheFuture]

/**
 * `unknown` is the answer for a key that is not known and for a signature that is not its own: nobody learns which.
 * `unsupported` is one for a token of another type, like an ID token.
 */
export function verifyAccessToken(
  text: string,
  keys: VerificationKeys,
  expected: TokenExpectations,
): VerifiedToken | Denial {
  const jws = splitCompactJws(text)
  const header = jws && headerOf(jws)
  if (!jws || !header || header.kid === undefined) return denial('malformed')
  if (header.typ !== 'at+jwt') return denial('unsupported')

  const key = keys.verificationKey(header.kid)
  if (!key) return denial('unknown')
  // The algorithm is the key's; a token that claims another one is not one of ours.
  if (header.alg !== key.alg) return denial('malformed')
  if (!verifyJws(key.alg, key.publicKey, jws.signingInput, decodeSegment(jws.signature)))
    return denial('unknown')
  remember(jws.header, header)

  const payload = decodeJsonObject(jws.payload)
  const claims = payload && readClaims(payload)
  if (!claims) return denial('malformed')
  for (const check of CLAIM_CHECKS) {
    const refused = check(claims, expected)
    if (refused) return denial(refused)
  }
  return { valid: true, claims, kid: header.kid }
}

export function audiencesOf(aud: string | readonly string[]): readonly string[] {
  return typeof aud === 'string' ? [aud] : aud
}

/**
 * All tokens of one key have the same header: it is read once. Only a header that a signature has vouched for is kept,
 * so whoever invents headers fills nothing.
 */
let knownHeaders = new Map<string, JwsHeader>()
const MOST_HEADERS = 64

function headerOf({ header }: CompactJws): JwsHeader | undefined {
  return knownHeaders.get(header) ?? readJwsHeader(header)
}

function remember(segment: string, header: JwsHeader): void {
  if (knownHeaders.has(segment)) return
  if (knownHeaders.size >= MOST_HEADERS) knownHeaders = new Map()
  knownHeaders.set(segment, header)
}
