/** Opens a session for somebody who has proved who they are, whichever way; or one more for the same browser. */
import { type ChangeMaker, coarseNetwork, newId } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { endSession } from './end-session.ts'
import { hashOf, newSessionSecret } from './session-secret.ts'
import { insertSession, lockBySecret, saveRenewed, selectSurplus } from './session-store.ts'
import { ABSOLUTE_MS, MOST_SESSIONS, type Session } from './session.ts'

/** The browser in which a sign-in takes place. */
export interface Visit {
  readonly ip: string
  readonly userAgent?: string | undefined
  /** The value of the session cookie that came along: that session does not outlive the sign-in as it was. */
  readonly previous?: string | undefined
}

/** What was proved. The user is locked by the caller, and may sign in. */
export interface Proof {
  readonly userId: string
  /** The feed's position that was read before anything was checked. */
  readonly rsn: number
  readonly acr: string
  readonly amr: readonly string[]
}

export interface OpenedSession {
  readonly session: Session
  /** For the cookie, and nowhere else. */
  readonly cookieValue: string
}

export async function openSession(
  tx: Transaction,
  changes: Changes,
  { userId, rsn, acr, amr }: Proof,
  visit: Visit,
): Promise<OpenedSession> {
  const nowMs = changes.clock.nowMs()
  const { previous } = visit
  const before = previous === undefined ? undefined : await lockBySecret(tx, hashOf(previous), nowMs)
  const network = coarseNetwork(visit.ip)
  const secret = newSessionSecret()
  const by: ChangeMaker = { type: 'user', id: userId, network }
  const fresh = {
    userId,
    rsn,
    authTimeMs: nowMs,
    acr,
    amr,
    expiresAtMs: nowMs + ABSOLUTE_MS,
    lastUsedAtMs: nowMs,
    lastUsedNetwork: network,
    userAgent: printable(visit.userAgent),
  }
  // The same person proves it again: what descends from the session lives on, but the value that anybody may have
  // planted or read in this browser is worth nothing from here on.
  if (before?.userId === userId) {
    const session: Session = { ...before, ...fresh }
    await saveRenewed(tx, session, secret.hash)
    return { session, cookieValue: secret.value }
  }
  if (before) await endSession(tx, changes, by, { id: before.id, reason: 'another user signed in' })
  for (const id of await selectSurplus(tx, userId, MOST_SESSIONS - 1, nowMs))
    await endSession(tx, changes, by, { id, reason: 'too many sessions' })
  const session: Session = {
    ...fresh,
    id: newId('ses', changes.clock),
    createdAtMs: nowMs,
    createdNetwork: network,
  }
  await insertSession(tx, session, secret.hash)
  return { session, cookieValue: secret.value }
}

function printable(userAgent: string | undefined): string {
  return (userAgent ?? '').replace(/[^\x20-\x7E]/g, '').slice(0, 200)
}
