/** Sets a user's password: hashed before the transaction, which holds the write lock and waits for nothing. */
import { type Caller, notFound } from '../kernel/index.ts'
import { lockedUser, userChange } from './change-users.ts'
import type { IdentityContext } from './identity-context.ts'
import { acceptPassword } from './password-rules.ts'
import { getUser } from './read-users.ts'
import { savePassword, selectUser } from './user-store.ts'
import type { User } from './user.ts'

/**
 * Ends every session and token of the user, because whoever knew the old password may hold some.
 *
 * Throws `invalid_request` for a password that is not taken, `not_found`, or `too_many_requests` when too many hashes
 * are waiting.
 */
export async function setPassword(
  { storage, changes, hasher }: Pick<IdentityContext, 'storage' | 'changes' | 'hasher'>,
  caller: Caller,
  id: string,
  password: string,
): Promise<User> {
  const accepted = acceptPassword(password, await getUser(storage, caller, id))
  const passwordHash = await hasher.hash(accepted)
  await storage.write(async (tx) => {
    await lockedUser(tx, caller, id)
    await savePassword(tx, id, passwordHash, changes.clock.nowMs())
    changes.record(tx, caller, {
      ...userChange(id, 'user.password_set'),
      feed: { kind: 'subject', key: id, effect: 'revoked', reason: 'password set' },
    })
  })
  const user = await selectUser(storage, id)
  if (!user) throw notFound('user')
  return user
}
