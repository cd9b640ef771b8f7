/** Tokens: signing keys and their rotation, the JWKS, the at+jwt profile. */
export type { AccessTokenClaims, ActClaim } from './access-token.ts'
export { ensureSigningKey, type SigningKeyPorts, tendSigningKeys } from './change-signing-keys.ts'
export { AncestorEnded, mintAccessToken, TokenTooLarge } from './mint-access-token.ts'
export { signingKeyRoutes } from './routes.ts'
export type { SigningAlgorithm } from './signing-key.ts'
export { SigningKeys } from './signing-keys.ts'
export { verifyAccessToken } from './verify-access-token.ts'
