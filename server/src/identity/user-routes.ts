/** /v1/users */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import {
  create,
  declareRoute,
  IdParams,
  Metadata,
  Nullable,
  PageOf,
  PageQuery,
  Reason,
  Rfc3339,
  Scopes,
  TenantId,
} from '../http/index.ts'
import { type Caller, rfc3339 } from '../kernel/index.ts'
import type { Idempotency, Transaction } from '../storage/index.ts'
import { setMembership } from './change-memberships.ts'
import {
  createUser,
  deleteUser,
  setUserDisabled,
  signOutEverywhere,
  updateUser,
  type UserInput,
} from './change-users.ts'
import type { IdentityContext } from './identity-context.ts'
import { getUser, listUsers } from './read-users.ts'
import { setPassword } from './set-password.ts'
import type { User } from './user.ts'

const read = { kind: 'management', scope: 'users:read' } as const
const write = { kind: 'management', scope: 'users:write' } as const
const tags = ['Users']

const Username = Type.String({ minLength: 1, maxLength: 64, examples: ['ada'] })
const Email = Type.String({ minLength: 3, maxLength: 254, examples: ['ada@example.com'] })
const PersonName = Type.String({ maxLength: 200, pattern: '^[^\\u0000-\\u001F\\u007F]*$' })

const UserBody = Type.Object({
  id: Type.String({ examples: ['usr_0QxM1w3b7Zq8Rk5Jt2Hn9d'] }),
  username: Nullable(Type.String()),
  email: Nullable(Type.String()),
  email_verified: Type.Boolean(),
  name: Type.String(),
  metadata: Metadata,
  disabled: Type.Boolean(),
  has_password: Type.Boolean(),
  password_set_at: Nullable(Rfc3339),
  created_at: Rfc3339,
  updated_at: Rfc3339,
})

const UserMembers = {
  username: Type.Optional(Nullable(Username)),
  email: Type.Optional(Nullable(Email)),
  email_verified: Type.Optional(
    Type.Boolean({ description: 'You vouch for the address. A new address is not verified unless told.' }),
  ),
  name: Type.Optional(PersonName),
  metadata: Type.Optional(Metadata),
}

const NewUserInput = Type.Object({
  ...UserMembers,
  password_hash: Type.Optional(
    Type.String({
      maxLength: 500,
      description: 'argon2, bcrypt, PBKDF2 or scrypt, hashed anew at the next sign-in.',
      examples: ['$2b$10$…'],
    }),
  ),
  tenants: Type.Optional(
    Type.Array(Type.Object({ tenant: TenantId, roles: Type.Optional(Scopes) }), {
      maxItems: 20,
      description: 'Of which the user is a member from the start.',
    }),
  ),
})

type UserMembersBody = Static<ReturnType<typeof Type.Object<typeof UserMembers>>>

export function userRoutes(
  server: FastifyInstance,
  identity: IdentityContext,
  idempotency: Idempotency,
): void {
  const { storage, changes } = identity

  async function createMember(
    tx: Transaction,
    caller: Caller,
    { password_hash: passwordHash, tenants = [], ...members }: Static<typeof NewUserInput>,
  ): Promise<User> {
    const user = await createUser(tx, changes, caller, { ...inputOf(members), passwordHash })
    for (const { tenant: tenantId, roles = [] } of tenants)
      await setMembership(tx, changes, caller, { userId: user.id, tenantId, roles })
    return user
  }

  declareRoute(server, {
    method: 'GET',
    url: '/v1/users',
    access: read,
    summary: 'List users',
    description: 'A tenant operator sees the members of that tenant.',
    tags,
    schema: {
      querystring: Type.Object({
        ...PageQuery,
        tenant: Type.Optional(TenantId),
        identifier: Type.Optional(
          Type.String({ maxLength: 254, description: 'A username or an e-mail address, in any spelling.' }),
        ),
      }),
      response: { 200: PageOf(UserBody) },
    },
    async handler({ caller, query }) {
      const { tenant, identifier } = query
      const page = await listUsers(storage, caller, { tenant, identifier }, query)
      return { data: page.data.map(presentUser), next_cursor: page.nextCursor }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/users',
    access: write,
    summary: 'Create a user',
    description:
      'With a username, an e-mail address, or both. The password is set by a request of its own, so that no copy of it is kept to answer a repetition; a hash that other software made is taken here.',
    tags,
    idempotent: true,
    schema: { body: NewUserInput, response: { 201: UserBody } },
    handler: (request, reply) =>
      create(idempotency, request, reply, 201, async (tx) =>
        presentUser(await createMember(tx, request.caller, request.body)),
      ),
  })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/users/:id',
    access: read,
    summary: 'Read a user',
    tags,
    schema: { params: IdParams, response: { 200: UserBody } },
    handler: async ({ caller, params }) => presentUser(await getUser(storage, caller, params.id)),
  })

  declareRoute(server, {
    method: 'PATCH',
    url: '/v1/users/:id',
    access: write,
    summary: 'Change a user',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object(UserMembers, { minProperties: 1 }),
      response: { 200: UserBody },
    },
    handler: async ({ caller, params, body }) =>
      presentUser(await storage.write((tx) => updateUser(tx, changes, caller, params.id, inputOf(body)))),
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/users/:id',
    access: write,
    summary: 'Delete a user',
    description:
      'Sessions and tokens stop working at once, and what is kept about the person is erased. This cannot be undone.',
    tags,
    schema: { params: IdParams, response: { 204: Type.Null() } },
    async handler({ caller, params }, reply) {
      await storage.write((tx) => deleteUser(tx, changes, caller, params.id))
      return reply.status(204).send()
    },
  })

  for (const [action, disabled] of [
    ['disable', true],
    ['enable', false],
  ] as const)
    declareRoute(server, {
      method: 'POST',
      url: `/v1/users/:id/${action}`,
      access: write,
      summary: disabled ? 'Disable a user' : 'Enable a user',
      description: disabled
        ? 'Sessions and tokens end at once, and signing in is refused until the user is enabled.'
        : 'The user can sign in again. Sessions and tokens from before stay dead.',
      tags,
      schema: { params: IdParams, response: { 200: UserBody } },
      handler: async ({ caller, params }) =>
        presentUser(await storage.write((tx) => setUserDisabled(tx, changes, caller, params.id, disabled))),
    })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/users/:id/password',
    access: write,
    summary: 'Set a password',
    description:
      'At least 15 characters, of any kind; 8 for a user with a second factor. Common passwords are refused. Sessions and tokens of the user end at once.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ password: Type.String({ maxLength: 1_024, examples: ['correct horse battery'] }) }),
      response: { 200: UserBody },
    },
    handler: async ({ caller, params, body }) =>
      presentUser(await setPassword(identity, caller, params.id, body.password)),
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/users/:id/sign-out-everywhere',
    access: write,
    summary: 'End all sessions and tokens of a user',
    description: 'Those of now. The user can sign in again.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ reason: Type.Optional(Reason) }),
      response: { 204: Type.Null() },
    },
    async handler({ caller, params, body }, reply) {
      await storage.write((tx) => signOutEverywhere(tx, changes, caller, params.id, body.reason))
      return reply.status(204).send()
    },
  })
}

function inputOf({ email_verified: emailVerified, ...input }: UserMembersBody): UserInput {
  return { ...input, emailVerified }
}

function presentUser(user: User): Static<typeof UserBody> {
  return {
    id: user.id,
    username: user.username,
    email: user.email,
    email_verified: user.emailVerifiedAtMs !== null,
    name: user.name,
    metadata: user.metadata,
    disabled: user.disabledAtMs !== null,
    has_password: user.passwordSetAtMs !== null,
    password_set_at: rfc3339(user.passwordSetAtMs),
    created_at: rfc3339(user.createdAtMs),
    updated_at: rfc3339(user.updatedAtMs),
  }
}
