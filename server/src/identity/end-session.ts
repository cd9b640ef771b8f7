/** Ending sessions. Ending one that has ended changes nothing and succeeds. */
import { type Caller, type ChangeMaker, coarseNetwork, notFound, requireDeployment } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { type BrowserRequest, currentSession, type SignedIn } from './current-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { markEnded } from './session-store.ts'

/** Answers whether this call ended it. `userId`: only if it is that user's. */
export async function endSession(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  { id, userId, reason }: { readonly id: string; readonly userId?: string; readonly reason: string },
): Promise<boolean> {
  const owner = await markEnded(tx, id, changes.clock.nowMs(), userId)
  if (owner === undefined) return false
  changes.record(tx, by, {
    action: 'session.ended',
    tenant: null,
    target: { type: 'session', id },
    data: { user: owner, reason },
    feed: { kind: 'session', key: id, effect: 'revoked', reason },
  })
  return true
}

/** An operator ends one session of a user; throws `not_found` when there is none by that id, or it has ended. */
export async function endUsersSession(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  {
    id,
    userId,
    reason = 'ended by an operator',
  }: { readonly id: string; readonly userId?: string; readonly reason?: string },
): Promise<void> {
  requireDeployment(caller, 'Ending a session')
  if (!(await endSession(tx, changes, caller, { id, ...(userId !== undefined && { userId }), reason })))
    throw notFound(userId === undefined ? 'session that is alive' : 'session of this user')
}

/** The person signs out in this browser. Answers who that was, or undefined when nobody was signed in. */
export async function signOut(
  identity: IdentityContext,
  request: BrowserRequest,
): Promise<SignedIn | undefined> {
  const current = await currentSession(identity, request)
  if (!current) return undefined
  const { storage, changes } = identity
  const by: ChangeMaker = { type: 'user', id: current.user.id, network: coarseNetwork(request.ip) }
  await storage.write((tx) => endSession(tx, changes, by, { id: current.session.id, reason: 'signed out' }))
  return current
}
