/** /account/password */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { IdentityContext } from './identity-context.ts'
import { selectSecondFactor } from './one-time-codes/code-store.ts'
import { passwordPage } from './pages/password-page.ts'
import { pageScript } from './passkeys/page-script.ts'
import { changeOwnPassword } from './set-password.ts'
import { declareOwnPage } from './signed-in-form.ts'
import { accountName } from './user.ts'

const PATH = '/account/password'

interface Fields {
  readonly new_password?: string
}

export function passwordRoutes(server: FastifyInstance, identity: IdentityContext): void {
  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The password of an account',
    recent: true,
    members: {
      username: Type.Optional(Type.String({ maxLength: 254 })),
      new_password: Type.Optional(Type.String({ maxLength: 8_000 })),
    },
    async show(visit, problem) {
      const { user } = visit
      return passwordPage({
        ...visit,
        account: accountName(user),
        hasPassword: user.passwordSetAtMs !== null,
        hasSecondFactor: (await selectSecondFactor(identity.storage, user.id)) !== undefined,
        script: identity.relyingParty && pageScript().url,
        problem,
      })
    },
    async take({ user, session, by }, { new_password: password = '' }) {
      await changeOwnPassword(identity, by, user, { password, keep: session.id })
      return { goTo: '/account' }
    },
  })
}
