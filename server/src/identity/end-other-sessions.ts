/** Ends the sessions of a user, but for the one in which they are at work: each by its own row of the feed. */
import type { ChangeMaker } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { endSession } from './end-session.ts'
import { selectOtherSessions } from './session-store.ts'

/** Answers how many. `keep`: the id of the session that goes on, if one does. */
export async function endOtherSessions(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  {
    userId,
    keep,
    reason,
  }: { readonly userId: string; readonly keep: string | undefined; readonly reason: string },
): Promise<number> {
  const ids = await selectOtherSessions(tx, userId, keep)
  for (const id of ids) await endSession(tx, changes, by, { id, userId, reason })
  return ids.length
}
