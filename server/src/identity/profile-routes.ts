/** /account: the person's own name and addresses. */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { changeOwnName } from './change-own-name.ts'
import type { IdentityContext } from './identity-context.ts'
import { profilePage } from './pages/profile-page.ts'
import { sendLink } from './links/send-link.ts'
import { throttled } from './sign-in-outcome.ts'
import { declareOwnPage, type OwnVisit } from './signed-in-form.ts'

const PATH = '/account'

interface Fields {
  readonly name?: string
  readonly do?: string
}

export function profileRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes } = identity
  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The account',
    recent: false,
    members: {
      name: Type.Optional(Type.String({ maxLength: 1_000 })),
      do: Type.Optional(Type.String({ maxLength: 20 })),
    },
    show: (visit, problem) => show(visit, { problem }),
    async take(visit, { name = '', do: what }) {
      const { user, by, binding, request } = visit
      if (what === 'verify') {
        const wait = throttled(identity, request.ip, `mail ${user.id}`)
        if (wait > 0) return { page: show(visit, { problem: 'Too many tries. Wait a little.' }), status: 429 }
        if (user.email !== null)
          await sendLink(identity, {
            kind: 'verify_email',
            email: user.email,
            binding,
            ip: request.ip,
            place: PATH,
          })
        return { page: show(visit, { sent: true }) }
      }
      await storage.write((tx) => changeOwnName(tx, changes, by, user.id, name))
      return { goTo: PATH }
    },
  })

  function show(
    visit: OwnVisit,
    { sent = false, problem }: { sent?: boolean; problem?: string | undefined },
  ) {
    return profilePage({ ...visit, canVerify: identity.post !== undefined && !sent, sent, problem })
  }
}
