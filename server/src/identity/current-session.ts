/** Whose browser this is: the session of a request's cookie, checked against the database each time. */
import type { Storage } from '../storage/index.ts'
import { readCookie } from './cookies.ts'
import type { IdentityContext } from './identity-context.ts'
import { hashOf } from './session-secret.ts'
import { selectBySecret, selectLiveSession } from './session-store.ts'
import type { Session } from './session.ts'
import type { User } from './user.ts'

/** What of a request says who it is from. */
export interface BrowserRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly ip: string
}

export interface SignedIn {
  readonly session: Session
  readonly user: User
}

/** Undefined when nobody is signed in: no cookie, or the session is over, ended, or its user is disabled or gone. */
export async function currentSession(
  { storage, changes, cookies, sessionUse }: IdentityContext,
  { headers, ip }: BrowserRequest,
): Promise<SignedIn | undefined> {
  const value = readCookie(headers['cookie'], cookies.session)
  if (value === undefined) return undefined
  const found = await selectBySecret(storage, hashOf(value), changes.clock.nowMs())
  if (!found || found.user.disabledAtMs !== null) return undefined
  sessionUse.note(found.session, ip)
  return found
}

/** For whoever holds something that descends from a session: undefined when it is over, ended, or under a newer floor. */
export function findLiveSession(storage: Storage, id: string, nowMs: number): Promise<Session | undefined> {
  return selectLiveSession(storage, id, nowMs)
}
