/** POST /v1/tokens/revoke: an operator ends one access token, whoever it was given to. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { declareRoute, Nullable } from '../http/index.ts'
import { reachesResource, reachesTenant } from '../kernel/index.ts'
import { endToken } from './end-token.ts'
import type { OAuthPorts } from './ports.ts'

const Body = Type.Object({
  token: Type.String({ minLength: 1, maxLength: 8_192, description: 'An access token, JWT or opaque.' }),
})
const Answer = Type.Object({
  revoked: Type.Boolean({ description: 'False: it was not good any more, or never was.' }),
  id: Nullable(Type.String({ description: "The token's `jti`, which the audit names." })),
})

export function tokenRoutes(
  server: FastifyInstance,
  ports: Pick<OAuthPorts, 'credentials' | 'storage' | 'changes'>,
): void {
  declareRoute(server, {
    method: 'POST',
    url: '/v1/tokens/revoke',
    access: { kind: 'management', scope: 'clients:write' },
    summary: 'Revoke an access token',
    description: 'Ends this one token everywhere. Its grant lives on: whoever can refresh gets another.',
    tags: ['OAuth'],
    schema: { body: Body, response: { 200: Answer } },
    async handler({ caller, body }) {
      const found = await ports.credentials.accessToken(body.token)
      const reached =
        !('valid' in found) &&
        reachesTenant(caller, found.claims.tenant) &&
        reachesResource(caller, found.presented.resourceId)
      if (!reached) return { revoked: false, id: null }
      await endToken(ports, caller, found.claims)
      return { revoked: true, id: found.claims.jti }
    },
  })
}
