/** Sets a user's password: hashed before the transaction, which holds the write lock and waits for nothing. */
import { type Caller, type ChangeMaker, notFound, PosternError } from '../kernel/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { lockedUser, userChange } from './change-users.ts'
import { endOtherSessions } from './end-other-sessions.ts'
import type { IdentityContext } from './identity-context.ts'
import { hasOneTimeCodes, selectSecondFactor } from './one-time-codes/code-store.ts'
import { acceptPassword, isShortPassword } from './password-rules.ts'
import { getUser } from './read-users.ts'
import { deleteTicketsOf } from './tickets/ticket-store.ts'
import { lockUser, savePassword, selectUser } from './user-store.ts'
import type { User } from './user.ts'

type Hashing = Pick<IdentityContext, 'storage' | 'hasher'>

/**
 * An operator's work. Ends every session and token of the user, because whoever knew the old password may hold some.
 *
 * Throws `invalid_request` for a password that is not taken, `not_found`, or `too_many_requests` when too many hashes
 * are waiting.
 */
export async function setPassword(
  { storage, changes, hasher }: Hashing & Pick<IdentityContext, 'changes'>,
  caller: Caller,
  id: string,
  password: string,
): Promise<User> {
  const hashed = await hashedPassword({ storage, hasher }, await getUser(storage, caller, id), password)
  await storage.write(async (tx) => {
    await lockedUser(tx, caller, id)
    await putPassword(tx, id, hashed, changes.clock.nowMs())
    changes.record(tx, caller, {
      ...userChange(id, 'user.password_set'),
      feed: { kind: 'subject', key: id, effect: 'revoked', reason: 'password set' },
    })
  })
  const user = await selectUser(storage, id)
  if (!user) throw notFound('user')
  return user
}

/**
 * The person's own work: the session in which it is done goes on, all others end. Throws like `setPassword`; and
 * `forbidden` when the user was disabled meanwhile.
 */
export async function changeOwnPassword(
  { storage, changes, hasher }: Hashing & Pick<IdentityContext, 'changes'>,
  by: ChangeMaker,
  user: User,
  { password, keep }: { readonly password: string; readonly keep: string | undefined },
): Promise<void> {
  const hashed = await hashedPassword({ storage, hasher }, user, password)
  await storage.write(async (tx) => {
    const current = await lockUser(tx, user.id, 'update')
    if (!current || current.disabledAtMs !== null)
      throw new PosternError('forbidden', 'The account is closed.')
    await putPassword(tx, user.id, hashed, changes.clock.nowMs())
    changes.record(tx, by, { ...userChange(user.id, 'user.password_changed'), feed: null })
    await endOtherSessions(tx, changes, by, { userId: user.id, keep, reason: 'password changed' })
  })
}

export interface HashedPassword {
  readonly passwordHash: string
  readonly isShort: boolean
}

/** Throws `invalid_request` for one that is not taken. */
export async function hashedPassword(
  { storage, hasher }: { readonly storage: Storage; readonly hasher: IdentityContext['hasher'] },
  user: Pick<User, 'id' | 'name' | 'username' | 'email'>,
  text: string,
): Promise<HashedPassword> {
  const hasSecondFactor = (await selectSecondFactor(storage, user.id)) !== undefined
  const password = await acceptPassword(text, { ...user, hasSecondFactor })
  return { passwordHash: await hasher.hash(password), isShort: isShortPassword(password) }
}

/** What is under way with the old password ends: a second factor that is waited for, a link to a new one. */
export async function putPassword(
  tx: Transaction,
  id: string,
  hashed: HashedPassword,
  nowMs: number,
): Promise<void> {
  if (hashed.isShort && !(await hasOneTimeCodes(tx, id)))
    throw new PosternError(
      'conflict',
      'The second factor was removed meanwhile; a longer password is needed.',
    )
  await savePassword(tx, id, { ...hashed, nowMs })
  await deleteTicketsOf(tx, id)
}
