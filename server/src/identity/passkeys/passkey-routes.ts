/** /account/passkeys, and /v1/users/:id/passkeys for operators. */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { declareRoute, IdParams, Nullable, Rfc3339 } from '../../http/index.ts'
import { rfc3339 } from '../../kernel/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { passkeysPage } from '../pages/passkeys-page.ts'
import { declareOwnPage, type OwnVisit } from '../signed-in-form.ts'
import { listPasskeys, removePasskey, removeUsersPasskey, renamePasskey } from './change-passkeys.ts'
import { pageScript } from './page-script.ts'
import { selectPasskeys } from './passkey-store.ts'
import type { Passkey } from './passkey.ts'

const PATH = '/account/passkeys'
const Field = (maxLength: number) => Type.Optional(Type.String({ maxLength }))

interface Fields {
  readonly passkey?: string
  readonly name?: string
  readonly rename?: string
  readonly remove?: string
}

const REFUSED = {
  not_proved: 'The passkey could not be checked. Please try again.',
  known: 'This passkey belongs to an account already.',
  too_many: 'There are too many passkeys: remove one first.',
} as const

export function passkeyRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes } = identity

  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The passkeys of an account',
    recent: true,
    members: { name: Field(500), rename: Field(100), remove: Field(100) },
    show,
    async take(visit, { passkey = '', name = '', rename = '', remove = '' }) {
      const { user, session, binding, by } = visit
      if (passkey !== '') {
        const { registerPasskey } = await import('./register-passkey.ts')
        const outcome = await registerPasskey(identity, visit, { response: passkey, name, binding }, by)
        if (typeof outcome === 'string')
          return { page: await show(visit, REFUSED[outcome]), status: outcome === 'not_proved' ? 403 : 409 }
      } else if (rename !== '')
        await storage.write((tx) => renamePasskey(tx, changes, by, { id: rename, userId: user.id }, name))
      else if (remove !== '')
        await storage.write((tx) =>
          removePasskey(tx, changes, by, { id: remove, userId: user.id }, session.id),
        )
      return { goTo: PATH }
    },
  })

  async function show(visit: OwnVisit, problem?: string) {
    const { registrationOptions } = await import('./register-passkey.ts')
    const options = await registrationOptions(identity, visit, visit.binding)
    return passkeysPage({
      ...visit,
      passkeys: await selectPasskeys(storage, visit.user.id),
      registration: options && { options, script: pageScript().url },
      problem,
    })
  }

  declareRoute(server, {
    method: 'GET',
    url: '/v1/users/:id/passkeys',
    access: { kind: 'management', scope: 'users:read' },
    summary: 'List a user’s passkeys',
    tags: ['Users'],
    schema: { params: IdParams, response: { 200: Type.Object({ data: Type.Array(PasskeyBody) }) } },
    async handler({ caller, params }) {
      const passkeys = await listPasskeys(storage, caller, params.id)
      return { data: passkeys.map(presentPasskey) }
    },
  })

  declareRoute(server, {
    method: 'DELETE',
    url: '/v1/users/:id/passkeys/:passkey',
    access: { kind: 'management', scope: 'users:write' },
    summary: 'Remove a passkey of a user',
    description: 'Where a device was lost. All sessions of the user end.',
    tags: ['Users'],
    schema: {
      params: Type.Object({ id: Type.String({ maxLength: 200 }), passkey: Type.String({ maxLength: 200 }) }),
      response: { 204: Type.Null() },
    },
    async handler({ caller, params }, reply) {
      const which = { id: params.passkey, userId: params.id }
      await storage.write((tx) => removeUsersPasskey(tx, changes, caller, which))
      return reply.status(204).send()
    },
  })
}

const PasskeyBody = Type.Object({
  id: Type.String({ examples: ['pky_0QxM1w3b7Zq8Rk5Jt2Hn9d'] }),
  name: Type.String(),
  synced: Type.Boolean({ description: 'It may be copied to the person’s other devices.' }),
  created_at: Rfc3339,
  last_used_at: Nullable(Rfc3339),
})

function presentPasskey(passkey: Passkey): Static<typeof PasskeyBody> {
  return {
    id: passkey.id,
    name: passkey.name,
    synced: passkey.synced,
    created_at: rfc3339(passkey.createdAtMs),
    last_used_at: rfc3339(passkey.lastUsedAtMs),
  }
}
