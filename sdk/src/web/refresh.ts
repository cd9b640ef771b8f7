/** `POST refresh`: new tokens now, whether they are due or not: after a change of scopes or roles, say. */
import { readCookies } from './cookies.ts'
import { type Answer, type Incoming, json } from './incoming.ts'
import type { WebParts } from './parts.ts'
import { problem } from './problem.ts'
import { CSRF_HEADER, isProvenOwn } from './same-origin.ts'
import { sessionView } from './show-session.ts'

export async function refresh(parts: WebParts, incoming: Incoming): Promise<Answer> {
  const { config, refresher, sessions } = parts
  const isCall = incoming.header(CSRF_HEADER) !== undefined
  if (!isCall || !isProvenOwn(incoming.header, config.origin)) return problem('cross_site')
  const cookies = readCookies(incoming.header('cookie'))
  const session = await sessions.read(cookies)
  if (!session) return problem('not_signed_in')
  const refreshed = await refresher.refresh(session)
  if (refreshed === 'unavailable') return problem('unavailable')
  if (refreshed === 'ended') return problem('not_signed_in', await sessions.end(cookies))
  return json(200, sessionView(refreshed), await sessions.renew(refreshed, cookies))
}
