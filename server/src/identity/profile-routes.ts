/** /account: the person's own name and addresses. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { changeOwnName } from './change-own-name.ts'
import type { IdentityContext } from './identity-context.ts'
import { profilePage } from './pages/profile-page.ts'
import { declareOwnPage } from './signed-in-form.ts'

const PATH = '/account'

interface Fields {
  readonly name?: string
}

export function profileRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes } = identity
  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The account',
    recent: false,
    members: { name: Type.Optional(Type.String({ maxLength: 1_000 })) },
    show: (visit, problem) => profilePage({ ...visit, problem }),
    async take({ user, by }, { name = '' }) {
      await storage.write((tx) => changeOwnName(tx, changes, by, user.id, name))
      return { goTo: PATH }
    },
  })
}
