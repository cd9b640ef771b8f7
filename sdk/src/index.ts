/**
 * `@postern/sdk`: checks who is calling your API, in your own process.
 *
 * `createVerifier()` makes a verifier, its `verify()` answers a Principal or a Denial. The adapters beside this module
 * (`/express`, `/fastify`, `/hono`, `/node`, `/next`, `/mcp`) put that in front of a route; `/web` signs users in to an
 * application of your own.
 */
import { systemClock } from './clock.ts'
import { parseOptions, type VerifierOptions } from './options.ts'
import { buildVerifier, type Verifier } from './verifier.ts'

/**
 * Makes a verifier for one API. Make one per process and keep it: it holds what is known.
 *
 * Throws a TypeError when the options cannot work. It asks nobody yet: the first `verify()` connects to the feed, or
 * `ready()` before it. A wrong credential or an unreachable server shows then, as a warning, and as `unavailable`.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  return buildVerifier(parseOptions(options), systemClock)
}

export type { FeedState } from './feed/knowledge.ts'
export { DENIALS, type Denial, type DenialCode } from './denial.ts'
export type { VerifierOptions } from './options.ts'
export type { CredentialRequest, NodeRequest, WebRequest } from './presented.ts'
export type { Actor, Environment, Principal, Result } from './principal.ts'
export {
  metadataAnswer,
  protectedResource,
  type MetadataAnswer,
  type ProtectedResource,
  type ProtectedResourceOptions,
  type ResourceMetadata,
} from './protected-resource.ts'
export { type LimitState, rateLimitHeaders } from './rate-limit-headers.ts'
export { refusal, type Problem, type Refusal, type RefusalOptions } from './refusal.ts'
export type { Verifier, VerifierStatus, VerifyOptions, WhenDegraded } from './verifier.ts'
