/** /account/sessions */
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { notFound } from '../kernel/index.ts'
import { endOtherSessions } from './end-other-sessions.ts'
import { endSession } from './end-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { sessionsPage } from './pages/sessions-page.ts'
import { selectSessions } from './session-store.ts'
import { MOST_SESSIONS } from './session.ts'
import { declareOwnPage } from './signed-in-form.ts'

const PATH = '/account/sessions'

interface Fields {
  /** The id of one, or `others`. */
  readonly end?: string
}

export function sessionRoutes(server: FastifyInstance, identity: IdentityContext): void {
  const { storage, changes } = identity
  declareOwnPage<Fields>(server, identity, {
    url: PATH,
    summary: 'The sessions of an account',
    recent: false,
    members: { end: Type.Optional(Type.String({ maxLength: 100 })) },
    async show(visit, problem) {
      const nowMs = changes.clock.nowMs()
      const sessions = await selectSessions(storage, visit.user.id, { limit: MOST_SESSIONS, nowMs })
      sessions.sort((one, other) => other.lastUsedAtMs - one.lastUsedAtMs)
      return sessionsPage({ ...visit, sessions, current: visit.session.id, problem })
    },
    async take({ user, session, by }, { end = '' }) {
      await storage.write(async (tx) => {
        if (end === 'others') {
          await endOtherSessions(tx, changes, by, {
            userId: user.id,
            keep: session.id,
            reason: 'ended by its user',
          })
          return
        }
        const which = { id: end, userId: user.id, reason: 'ended by its user' }
        if (!(await endSession(tx, changes, by, which))) throw notFound('session')
      })
      return { goTo: PATH }
    },
  })
}
