/**
 * The OAuth 2.1 and OpenID Connect server: oidc-provider with its gaps closed, mounted on our routes. The only place that
 * knows Koa. What was found by running the engine, and what is done about it, is in decisions/008-oidc-provider.md.
 */
export { LazyEngine } from './lazy-engine.ts'
export { interactionRoutes } from './interaction-routes.ts'
export type { Credentials, OAuthPorts } from './ports.ts'
export { NO_PEOPLE, type People } from './people.ts'
export { oauthRoutes } from './routes.ts'
export { tokenRoutes } from './token-routes.ts'
