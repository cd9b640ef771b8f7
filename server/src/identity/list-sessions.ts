/** The live sessions of a user: for a deployment operator, since no session belongs to one tenant. */
import {
  type Caller,
  type Clock,
  decodeCursor,
  DEFAULT_LIMIT,
  type Page,
  type Paged,
  requireDeployment,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { getUser } from './read-users.ts'
import { selectSessions } from './session-store.ts'
import type { Session } from './session.ts'

export async function listSessions(
  storage: Storage,
  clock: Clock,
  caller: Caller,
  userId: string,
  page: Page,
): Promise<Paged<Session>> {
  requireDeployment(caller, 'Reading sessions')
  await getUser(storage, caller, userId)
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('sessions', 'string', page.cursor)
  const rows = await selectSessions(storage, userId, { after, limit: limit + 1, nowMs: clock.nowMs() })
  return toPage('sessions', rows, limit, (session) => session.id)
}
