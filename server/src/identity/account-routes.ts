/** The account's pages, and the script that they share with the sign-in page. */
import type { FastifyInstance } from 'fastify'
import type { IdentityContext } from './identity-context.ts'
import { codeRoutes } from './one-time-codes/code-routes.ts'
import { linkRoutes } from './links/link-routes.ts'
import { passkeyRoutes } from './passkeys/passkey-routes.ts'
import { scriptRoutes } from './passkeys/script-routes.ts'
import { passwordRoutes } from './password-routes.ts'
import { profileRoutes } from './profile-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { upstreamRoutes } from './upstream/upstream-routes.ts'

export function accountRoutes(server: FastifyInstance, identity: IdentityContext): void {
  scriptRoutes(server)
  linkRoutes(server, identity)
  profileRoutes(server, identity)
  passkeyRoutes(server, identity)
  passwordRoutes(server, identity)
  codeRoutes(server, identity)
  sessionRoutes(server, identity)
  upstreamRoutes(server, identity)
}
