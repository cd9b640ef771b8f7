/**
 * From a request's cookie to the access token that goes with it, refreshed where it is about to end. The guards of all
 * adapters use this by their option `session`.
 */
import type { BrowserSession, SessionCredential } from '../browser-session.ts'
import { denial } from '../denial.ts'
import { headerOf } from '../presented.ts'
import type { CredentialRequest } from '../presented.ts'
import { readCookies } from './cookies.ts'
import type { WebParts } from './parts.ts'
import { mayUseSession } from './same-origin.ts'

/** Before its end, so that it lives for as long as the handler behind the guard may need it. */
const AHEAD_MS = 30_000

export function presentSession({ clock, config, names, refresher, sessions }: WebParts): BrowserSession {
  function present(
    request: CredentialRequest,
    mayRefresh: boolean,
  ): Promise<SessionCredential | undefined> | undefined {
    const header = headerOf(request, 'cookie')
    // Most requests to an API have none: they are not made to wait.
    if (header === undefined || !header.includes(names.session)) return undefined
    const cookies = readCookies(header)
    return sessions.isPresent(cookies) ? open(request, cookies, mayRefresh) : undefined
  }

  async function open(
    request: CredentialRequest,
    cookies: ReadonlyMap<string, string>,
    mayRefresh: boolean,
  ): Promise<SessionCredential | undefined> {
    const session = await sessions.read(cookies)
    if (!session) return undefined
    // A request whose method is not known is taken for one that changes something.
    const method = request.method?.toUpperCase() ?? 'POST'
    if (!mayUseSession(method, (name) => headerOf(request, name), config.origin))
      return { cookies: [], denial: denial('cross_site') }
    const nowMs = clock.nowMs()
    if (!mayRefresh || session.accessEndsAtMs - AHEAD_MS > nowMs)
      return { cookies: [], accessToken: session.accessToken }

    const refreshed = await refresher.refresh(session)
    if (refreshed === 'ended') return { cookies: await sessions.end(cookies), denial: denial('revoked') }
    if (refreshed !== 'unavailable')
      return { cookies: await sessions.renew(refreshed, cookies), accessToken: refreshed.accessToken }
    return session.accessEndsAtMs > nowMs
      ? { cookies: [], accessToken: session.accessToken }
      : { cookies: [], denial: denial('unavailable', { retryAfterSeconds: 1 }) }
  }

  return {
    present: (request) => present(request, true),
    presentAsItIs: (request) => present(request, false),
  }
}
