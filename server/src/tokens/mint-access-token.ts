/** Mints access tokens (RFC 9068), synchronously: signing is most of what issuing one costs. */
import { type AccessTokenClaims, readClaims } from './access-token.ts'
import { signJws } from './jws-signature.ts'
import type { SigningAlgorithm } from './signing-key.ts'
import type { SigningKeys } from './signing-keys.ts'

const LARGE_BYTES = 2_048
const LARGEST_BYTES = 6_144

export interface MintOptions {
  /** Ends of what it descends from (a key, a grant, a session, a parent token), in Unix seconds: `exp` is never later. */
  readonly ancestorsEndAt?: readonly number[]
  /** Called for a token of more than 2 kB: proxies begin to refuse such headers. */
  readonly onLarge?: (bytes: number, largestClaim: string) => void
}

/** The token would not fit into a header. The sentence names the claim to make smaller. */
export class TokenTooLarge extends Error {
  override readonly name = 'TokenTooLarge'
  readonly bytes: number
  readonly claim: string
  constructor(bytes: number, claim: string) {
    super(
      `The access token would have ${bytes} bytes; at most ${LARGEST_BYTES} are allowed. Its largest claim is "${claim}".`,
    )
    this.bytes = bytes
    this.claim = claim
  }
}

/** What the token would descend from has ended: there is nothing to mint. */
export class AncestorEnded extends Error {
  override readonly name = 'AncestorEnded'
}

/**
 * Signs with the active key of `algorithm`. Throws `TokenTooLarge` over 6 kB, `AncestorEnded`, and an Error for claims
 * that our own verify would not take. That the subject, the client and the scopes may have them is not checked here.
 */
export function mintAccessToken(
  signingKeys: Pick<SigningKeys, 'active'>,
  algorithm: SigningAlgorithm,
  claims: AccessTokenClaims,
  options: MintOptions = {},
): string {
  const exp = Math.min(claims.exp, ...(options.ancestorsEndAt ?? []))
  if (exp <= claims.iat) throw new AncestorEnded('What the token would descend from has ended.')
  const payload = { ...claims, exp }
  if (!readClaims(payload)) throw new Error('The claims of an access token are not well-formed.')

  const { kid, alg, privateKey } = signingKeys.active(algorithm)
  const input = `${headerOf(alg, kid)}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`
  const token = `${input}.${signJws(alg, privateKey, input)}`
  if (token.length > LARGEST_BYTES) throw new TokenTooLarge(token.length, largestClaim(payload))
  if (token.length > LARGE_BYTES) options.onLarge?.(token.length, largestClaim(payload))
  return token
}

let headers = new Map<string, string>()

/** One header a key; the few keys there are at a time. */
function headerOf(alg: SigningAlgorithm, kid: string): string {
  const known = headers.get(kid)
  if (known !== undefined) return known
  if (headers.size >= 16) headers = new Map()
  const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt', kid })).toString('base64url')
  headers.set(kid, header)
  return header
}

function largestClaim(payload: AccessTokenClaims): string {
  const sizes = Object.entries(payload).map(([name, value]) => [name, JSON.stringify(value).length] as const)
  return sizes.reduce((largest, entry) => (entry[1] > largest[1] ? entry : largest))[0]
}
