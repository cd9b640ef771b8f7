/**
 * Gateway: protects services behind a proxy that asks about each request (forward authentication). One endpoint for each
 * proxy, routes that say what is asked of whom, host sessions for browsers, and a signed identity for the upstream.
 */
export { purgeAppSessions } from './begin-session.ts'
export { BrowserHosts } from './browser-hosts.ts'
export { browserRoutes } from './browser-routes.ts'
export { AppSessions } from './find-session.ts'
export { Gateway } from './gateway.ts'
export { IDENTITY_HEADERS, IdentityHeaders } from './identity-headers.ts'
export { IDENTITY_TYP } from './identity-token.ts'
export { LiveRoutes } from './live-routes.ts'
export { ProxyProof } from './proxy-proof.ts'
export { readRoutesFile } from './routes-file.ts'
export { gatewayRoutes } from './routes.ts'
