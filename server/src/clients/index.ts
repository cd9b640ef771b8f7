/**
 * OAuth clients: who may ask for tokens, how they prove who they are, where they may send users back to, and what they
 * may ask for. Beside them what the OAuth engine stores between two requests: codes, grants, refresh tokens.
 */
export { Artifacts, type Consumption, idHash } from './artifacts.ts'
export {
  type ClientInput,
  type ClientPatch,
  createClient,
  deleteClient,
  type RegisteredClient,
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
export { getClient, listClients } from './read-clients.ts'
export { clientRoutes } from './routes.ts'
export { findClient, lockClient } from './store.ts'
