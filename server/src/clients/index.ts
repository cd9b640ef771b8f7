/**
 * OAuth clients: who may ask for tokens, how they prove who they are, where they may send users back to, and what they
 * may ask for. Beside them what the OAuth engine stores between two requests: codes, grants, refresh tokens.
 */
export { idHash } from './artifact.ts'
export type { Artifact } from './artifact.ts'
export { Artifacts, type Consumption } from './artifacts.ts'
export { endGrant } from './end-grant.ts'
export {
  type ClientInput,
  type ClientPatch,
  createClient,
  deleteClient,
  livingClient,
  type RegisteredClient,
  revokeClient,
  updateClient,
} from './change-clients.ts'
export { type AddedSecret, addClientSecret, revokeClientSecret } from './change-secrets.ts'
export {
  type Client,
  type ClientKind,
  type ClientResource,
  type ClientSecret,
  type ClientSettings,
  DEVICE_CODE,
  ID_TOKEN_ALGORITHMS,
  isConfidential,
  TOKEN_EXCHANGE,
  usesSecret,
} from './client.ts'
export { matchesSecret } from './client-secrets.ts'
export {
  type ConsentedScopes,
  type ConsentKey,
  covers,
  findConsent,
  NOTHING_CONSENTED,
  rememberConsent,
} from './consents.ts'
export { forgetSealedArtifacts } from './forget-sealed-artifacts.ts'
export { getClient, listClients } from './read-clients.ts'
export { clientRoutes } from './routes.ts'
export { findClient, lockClient } from './store.ts'
export { storedAccessToken, type StoredPayload } from './stored-access-token.ts'
