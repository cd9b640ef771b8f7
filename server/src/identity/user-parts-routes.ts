/** /v1/users/:id/tenants and /v1/users/:id/sessions: what belongs to one user. */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { declareRoute, IdParams, PageOf, PageQuery, Rfc3339, Scopes } from '../http/index.ts'
import { rfc3339 } from '../kernel/index.ts'
import { removeMembership, setMembership } from './change-memberships.ts'
import { endUsersSession } from './end-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { listSessions } from './list-sessions.ts'
import { listMemberships } from './read-users.ts'
import { idleEndMs, type Session } from './session.ts'
import type { Membership } from './user.ts'

const read = { kind: 'management', scope: 'users:read' } as const
const write = { kind: 'management', scope: 'users:write' } as const
const tags = ['Users']

const MembershipBody = Type.Object({
  tenant: Type.String(),
  tenant_name: Type.String(),
  roles: Scopes,
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const SessionBody = Type.Object({
  id: Type.String({ examples: ['ses_0QxM1w3b7Zq8Rk5Jt2Hn9d'] }),
  acr: Type.String(),
  amr: Type.Array(Type.String()),
  user_agent: Type.String(),
  network: Type.String({ description: 'Where it was begun, coarse.' }),
  last_used_network: Type.String(),
  last_used_at: Rfc3339,
  authenticated_at: Rfc3339,
  created_at: Rfc3339,
  ends_when_idle_at: Rfc3339,
  expires_at: Rfc3339,
})

const Id = Type.String({ maxLength: 200 })
const TenantParams = Type.Object({ id: Id, tenant: Id })
const SessionParams = Type.Object({ id: Id, session: Id })

export function userPartsRoutes(server: FastifyInstance, { storage, changes }: IdentityContext): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/users/:id/tenants',
    access: read,
    summary: 'List a user’s memberships',
    tags,
    schema: {
      params: IdParams,
      querystring: Type.Object(PageQuery),
      response: { 200: PageOf(MembershipBody) },
    },
    async handler({ caller, params, query }) {
      const page = await listMemberships(storage, caller, params.id, query)
      return { data: page.data.map(presentMembership), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'PUT',
    url: '/v1/users/:id/tenants/:tenant',
    access: write,
    summary: 'Make a user a member of a tenant',
    description:
      'With exactly these roles. Taking a role away ends the user’s sessions and tokens, which may still carry it.',
    tags,
    schema: {
      params: TenantParams,
      body: Type.Object({ roles: Type.Optional(Scopes) }),
      response: { 200: MembershipBody },
    },
    handler: async ({ caller, params, body }) =>
      presentMembership(
        await storage.write((tx) =>
          setMembership(tx, changes, caller, {
            userId: params.id,
            tenantId: params.tenant,
            roles: body.roles ?? [],
          }),
        ),
      ),
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/users/:id/tenants/:tenant',
    access: write,
    summary: 'End a membership',
    description: 'The user’s sessions and tokens end at once; signing in again works, without this tenant.',
    tags,
    schema: { params: TenantParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) =>
        removeMembership(tx, changes, caller, { userId: params.id, tenantId: params.tenant }),
      )
      return reply.status(204).send()
    },
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/users/:id/sessions',
    access: read,
    summary: 'List a user’s sessions',
    description: 'Those that are alive. For deployment operators, since no session belongs to one tenant.',
    tags,
    schema: { params: IdParams, querystring: Type.Object(PageQuery), response: { 200: PageOf(SessionBody) } },
    async handler({ caller, params, query }) {
      const page = await listSessions(storage, changes.clock, caller, params.id, query)
      return { data: page.data.map(presentSession), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/users/:id/sessions/:session',
    access: write,
    summary: 'End a session',
    description: 'And every token that descends from it, at once.',
    tags,
    schema: { params: SessionParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) =>
        endUsersSession(tx, changes, caller, { id: params.session, userId: params.id }),
      )
      return reply.status(204).send()
    },
  })
}

function presentMembership(membership: Membership): Static<typeof MembershipBody> {
  return {
    tenant: membership.tenantId,
    tenant_name: membership.tenantName,
    roles: [...membership.roles],
    created_at: rfc3339(membership.createdAtMs),
    updated_at: rfc3339(membership.updatedAtMs),
  }
}

function presentSession(session: Session): Static<typeof SessionBody> {
  return {
    id: session.id,
    acr: session.acr,
    amr: [...session.amr],
    user_agent: session.userAgent,
    network: session.createdNetwork,
    last_used_network: session.lastUsedNetwork,
    last_used_at: rfc3339(session.lastUsedAtMs),
    authenticated_at: rfc3339(session.authTimeMs),
    created_at: rfc3339(session.createdAtMs),
    ends_when_idle_at: rfc3339(idleEndMs(session)),
    expires_at: rfc3339(session.expiresAtMs),
  }
}
