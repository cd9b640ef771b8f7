/**
 * `@postern/sdk/web`: signs people in to your own application, as a back end for its front end (RFC 10017): tokens stay on
 * the server or sealed in cookies that no script can read.
 *
 *     const web = createWeb({ issuer, clientId, clientSecret, origin, keys, resource, scopes: ['orders:read'] })
 *     app.use(serveWeb(web))                                     // /auth/login, callback, session, refresh, logout
 *     const postern = createGuard(verifier, { session: web })    // routes take the session as they take a token
 *
 * It needs `openid-client` and `jose` beside the SDK.
 */
import { systemClock } from '../clock.ts'
import { buildWeb, type Web } from './web.ts'
import { parseWebOptions, type WebOptions } from './web-options.ts'

/**
 * Makes the handlers and the session of one application. Make one per process and keep it: it refreshes each session
 * once, however many of its requests want that at a time.
 *
 * Throws a TypeError when the options cannot work. It asks nobody yet: Postern's metadata is read by the first sign-in.
 */
export function createWeb(options: WebOptions): Web {
  return buildWeb(parseWebOptions(options), systemClock)
}

export type { BrowserSession, SessionCredential } from '../browser-session.ts'
export type { Answer, Incoming } from './incoming.ts'
export { fastifyWeb } from './serve-fastify.ts'
export { answerFetch, honoWeb, nextWeb } from './serve-fetch.ts'
export { serveWeb } from './serve-node.ts'
export { memoryStore, type SessionStore, type StoredSession } from './session-store.ts'
export type { SignedInUser } from './session.ts'
export type { WebOptions } from './web-options.ts'
export type { Web } from './web.ts'
