/** /v1/roles */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { declareRoute, Rfc3339, Scopes } from '../../http/index.ts'
import { notFound, rfc3339, systemCaller } from '../../kernel/index.ts'
import { getResource } from '../../resources/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { deleteRole, endHolders, roleScopes, setRole } from './change-roles.ts'
import { selectRoles } from './role-store.ts'
import type { Role } from './role.ts'

const read = { kind: 'management', scope: 'users:read' } as const
const write = { kind: 'management', scope: 'users:write' } as const
const tags = ['Roles']

const ScopesByResource = Type.Record(Type.String({ minLength: 1, maxLength: 2_000 }), Scopes, {
  examples: [{ 'https://api.example.com': ['orders:read', 'orders:write'] }],
})
const Description = Type.String({ maxLength: 500, examples: ['May see and change orders'] })
const RoleBody = Type.Object({
  name: Type.String(),
  description: Description,
  scopes: ScopesByResource,
  created_at: Rfc3339,
  updated_at: Rfc3339,
})
const NameParams = Type.Object({ name: Type.String({ maxLength: 200 }) })

export function roleRoutes(server: FastifyInstance, { storage, changes }: IdentityContext): void {
  declareRoute(server, {
    method: 'GET',
    url: '/v1/roles',
    access: read,
    summary: 'List the roles',
    tags,
    schema: { response: { 200: Type.Object({ data: Type.Array(RoleBody) }) } },
    handler: async () => ({ data: await Promise.all((await selectRoles(storage)).map(present)) }),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/roles/:name',
    access: read,
    summary: 'Read a role',
    tags,
    schema: { params: NameParams, response: { 200: RoleBody } },
    async handler({ params }) {
      const [role] = await selectRoles(storage, [params.name])
      if (!role) throw notFound('role')
      return present(role)
    },
  })

  declareRoute(server, {
    method: 'PUT',
    url: '/v1/roles/:name',
    access: write,
    summary: 'Make or change a role',
    description:
      'Exactly these scopes, by the id or URI of their resource. A role that loses one ends the sessions and tokens of all who hold it.',
    tags,
    schema: {
      params: NameParams,
      body: Type.Object({ description: Type.Optional(Description), scopes: ScopesByResource }),
      response: { 200: RoleBody },
    },
    async handler({ caller, params, body }) {
      const scopes = await roleScopes(storage, caller, body.scopes)
      const input = { name: params.name, description: body.description ?? '', scopes }
      const { role, lost } = await storage.write((tx) => setRole(tx, changes, caller, input))
      if (lost) await endHolders(storage, changes, caller, role.name)
      return present(role)
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/roles/:name',
    access: write,
    summary: 'Delete a role',
    description: 'The sessions and tokens of all who hold it end. Memberships keep its name.',
    tags,
    schema: { params: NameParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteRole(tx, changes, caller, params.name))
      await endHolders(storage, changes, caller, params.name)
      return reply.status(204).send()
    },
  })

  /** By the URIs of the resources that there are. */
  async function present(role: Role): Promise<Static<typeof RoleBody>> {
    const scopes: Record<string, string[]> = {}
    for (const [id, names] of Object.entries(role.scopes)) {
      const resource = await getResource(storage, systemCaller([]), id).catch(() => undefined)
      if (resource) scopes[resource.uri] = [...names]
    }
    const { name, description, createdAtMs, updatedAtMs } = role
    return {
      name,
      description,
      scopes,
      created_at: rfc3339(createdAtMs),
      updated_at: rfc3339(updatedAtMs),
    }
  }
}
