/** Verify: the hot path from a credential to a Principal or a Denial, over HTTP and for the management API itself. */
export { createAuthenticate } from './authenticate-caller.ts'
export { readCredential } from './read-credential.ts'
export { DecisionMeter } from './decision-meter.ts'
export { ownUsageRoutes } from './own-usage-routes.ts'
export { verifyRoutes } from './routes.ts'
export { type Decision, type SessionFinder, Verifier } from './verify.ts'
export type { VerifyRequest } from './verify-request.ts'
