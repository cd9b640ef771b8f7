/**
 * Verifies an access token of ours: form, key, signature, claims, in this order and with the server's answers (a table of
 * vectors holds the two equal). It does not say whether anything has ended since: see `judge-token.ts`.
 */
import { decodeBase64url } from '../base64url.ts'
import { denial, type Denial, type DenialCode } from '../denial.ts'
import { type AccessTokenClaims, readClaims } from './access-token.ts'
import { type CompactJws, type JwsHeader, readJwsHeader, splitCompactJws } from './compact-jws.ts'
import { decodeJsonObject } from './strict-json.ts'
import type { VerificationKey, VerificationKeys } from './verification-keys.ts'

export interface TokenExpectations {
  readonly issuer: string
  readonly resource: string
  readonly nowMs: number
}

export interface VerifiedToken {
  readonly valid: true
  readonly claims: AccessTokenClaims
  readonly key: VerificationKey
}

/** How far the issuer's clock may be ahead of ours. */
export const CLOCK_TOLERANCE_SECONDS = 60

type ClaimCheck = (claims: AccessTokenClaims, expected: TokenExpectations) => DenialCode | undefined

const ofIssuer: ClaimCheck = ({ iss }, { issuer }) => (iss === issuer ? undefined : 'unknown')

const unexpired: ClaimCheck = ({ exp }, { nowMs }) => (exp * 1000 > nowMs ? undefined : 'expired')

const notFromTheFuture: ClaimCheck = ({ iat, nbf }, { nowMs }) =>
  Math.max(iat, nbf ?? 0) <= nowMs / 1000 + CLOCK_TOLERANCE_SECONDS ? undefined : 'not_yet_valid'

const forResource: ClaimCheck = ({ aud }, { resource }) =>
  (typeof aud === 'string' ? aud === resource : aud.includes(resource)) ? undefined : 'wrong_resource'

const CLAIM_CHECKS: readonly ClaimCheck[] = [ofIssuer, unexpired, notFromTheFuture, forResource]

/** A token taken apart, its header read: nothing of it is proven. */
export interface UnprovenToken {
  readonly jws: CompactJws
  readonly header: JwsHeader
}

/** Undefined for what has no form that a token of anybody may have. */
export function takeApart(text: string): UnprovenToken | undefined {
  const jws = splitCompactJws(text)
  const header = jws && (knownHeaders.get(jws.header) ?? readJwsHeader(jws.header))
  return jws && header && { jws, header }
}

/** Who an unproven token says it is from: good for deciding whom to ask, and for nothing else. */
export function claimedIssuer({ jws }: UnprovenToken): unknown {
  return decodeJsonObject(jws.payload)?.['iss']
}

/**
 * `unknown` is the answer for a key that is not known and for a signature that is not its own: nobody learns which.
 * `unsupported` is one for a token of another type, like an ID token. A promise where the runtime has only WebCrypto.
 */
export function verifyAccessToken(
  token: UnprovenToken,
  keys: VerificationKeys,
  expected: TokenExpectations,
): VerifiedToken | Denial | Promise<VerifiedToken | Denial> {
  const { jws, header } = token
  if (header.kid === undefined) return denial('malformed')
  if (header.typ !== 'at+jwt') return denial('unsupported')
  const key = keys.get(header.kid)
  if (!key) return denial('unknown')
  // The algorithm is the key's; a token that claims another one is not one of ours.
  if (header.alg !== key.alg) return denial('malformed')
  const proven = key.verify(jws.signingInput, decodeBase64url(jws.signature))
  return proven instanceof Promise
    ? proven.then((proven) => readProven(token, key, proven, expected))
    : readProven(token, key, proven, expected)
}

function readProven(
  { jws, header }: UnprovenToken,
  key: VerificationKey,
  proven: boolean,
  expected: TokenExpectations,
): VerifiedToken | Denial {
  if (proven !== true) return denial('unknown')
  remember(jws.header, header)
  const payload = decodeJsonObject(jws.payload)
  const claims = payload && readClaims(payload)
  if (!claims) return denial('malformed')
  for (const check of CLAIM_CHECKS) {
    const refused = check(claims, expected)
    if (refused) return denial(refused)
  }
  return { valid: true, claims, key }
}

/**
 * All tokens of one key have the same header: it is read once. Only a header that a signature has vouched for is kept,
 * so whoever invents headers fills nothing.
 */
let knownHeaders = new Map<string, JwsHeader>()
const MOST_HEADERS = 64

function remember(segment: string, header: JwsHeader): void {
  if (knownHeaders.has(segment)) return
  if (knownHeaders.size >= MOST_HEADERS) knownHeaders = new Map()
  knownHeaders.set(segment, header)
}
