/**
 * Tokens: the keys that sign access tokens and how they rotate, the JWKS, the at+jwt profile (RFC 9068), and the issuers
 * besides ourselves whose tokens are accepted. What it promises is in docs/tokens.md.
 */
export { type AccessTokenClaims, type ActClaim, MOST_ANCESTORS } from './access-token.ts'
export {
  ensureSigningKey,
  prepareRevocation,
  prepareRevocationOfAll,
  revokeSigningKey,
  rotateSigningKey,
  type SigningKeyPorts,
  tendSigningKeys,
} from './change-signing-keys.ts'
export { checkDpopProof, PROOF_WINDOW_MS } from './dpop-proof.ts'
export { dependenciesOf, findOwnToken, findPresentedToken, type OwnToken } from './find-presented-token.ts'
export {
  checkedAddress,
  checkUrl,
  type FetchGuard,
  fetchGuarded,
  fetchGuardedJson,
  FetchRefused,
  type GuardedAnswer,
  pinnedTo,
} from './guarded-fetch.ts'
export { signJws } from './jws-signature.ts'
export { KeySealer } from './key-sealer.ts'
export { AncestorEnded, mintAccessToken, type MintOptions, TokenTooLarge } from './mint-access-token.ts'
export type { PresentedToken, TokenPorts } from './present-token.ts'
export { isProofKeyRevoked } from './presented-token-store.ts'
export { type EndedToken, revokeProofKey, revokeToken } from './revoke-tokens.ts'
export { resealSigningKeys } from './reseal-signing-keys.ts'
export { signingKeyRoutes } from './routes.ts'
export { selectLivingKeys } from './signing-key-store.ts'
export { ROTATION, type RotationRules, SIGNING_ALGORITHMS, type SigningAlgorithm } from './signing-key.ts'
export { type PrivateJwk, SigningKeys, type VerificationKeys } from './signing-keys.ts'
export { trustedIssuerRoutes } from './trusted-issuer-routes.ts'
export { TrustedIssuers } from './trusted-issuers.ts'
export { CLOCK_TOLERANCE_SECONDS, verifyAccessToken, type VerifiedToken } from './verify-access-token.ts'
