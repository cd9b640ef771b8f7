/** What people change about themselves without anybody's leave: what they are called. */
import { type ChangeMaker, invalid, notFound } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { userChange } from './change-users.ts'
import { keysOf } from './user-names.ts'
import { lockUser, saveUser } from './user-store.ts'

const LONGEST = 200

export async function changeOwnName(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  id: string,
  typed: string,
): Promise<void> {
  const name = typed.trim()
  if (name.length > LONGEST || /\p{Cc}/u.test(name))
    throw invalid('/name', `A name has at most ${LONGEST} characters, on one line.`)
  const user = await lockUser(tx, id, 'update')
  if (!user) throw notFound('user')
  await saveUser(tx, { ...user, name, updatedAtMs: changes.clock.nowMs() }, keysOf(user))
  changes.record(tx, by, { ...userChange(id, 'user.updated', { changed: ['name'] }), feed: null })
}
