/**
 * Creating, changing, disabling and deleting users: a deployment operator's work. What ends a user's sessions and tokens
 * is a level on the subject: everything older than its row is dead, everywhere, and a later sign-in is not.
 */
import { type Caller, invalid, newId, notFound, PosternError, requireDeployment } from '../kernel/index.ts'
import type { Changes, StateChange } from '../revocation/index.ts'
import { type Transaction, UniqueViolation } from '../storage/index.ts'
import { parseImportedHash } from './imported-hashes/imported-hash.ts'
import { checkMetadata } from './metadata-rule.ts'
import { parseHash } from './password-hash.ts'
import { keysOf } from './user-names.ts'
import { deleteUserRow, insertUser, lockUser, savePassword, saveUser } from './user-store.ts'
import type { User } from './user.ts'

export interface UserInput {
  readonly username?: string | null | undefined
  readonly email?: string | null | undefined
  /** Another word vouches for the address. A changed address is not verified unless this says so. */
  readonly emailVerified?: boolean | undefined
  readonly name?: string | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export interface NewUser extends UserInput {
  /** Made by other software: see imported-hashes/. */
  readonly passwordHash?: string | undefined
}

export async function createUser(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: NewUser,
): Promise<User> {
  requireDeployment(caller, 'Creating a user')
  checkMetadata(input.metadata)
  const { passwordHash } = input
  if (passwordHash !== undefined && !parseHash(passwordHash) && !parseImportedHash(passwordHash))
    throw invalid(
      '/password_hash',
      'This is no hash that can be checked: argon2, bcrypt, PBKDF2 and scrypt are, with costs within bounds.',
    )
  const nowMs = changes.clock.nowMs()
  const user: User = {
    id: newId('usr', changes.clock),
    username: input.username ?? null,
    email: input.email ?? null,
    emailVerifiedAtMs: input.emailVerified === true && input.email != null ? nowMs : null,
    name: input.name ?? '',
    metadata: input.metadata ?? {},
    passwordSetAtMs: passwordHash === undefined ? null : nowMs,
    passwordShort: false,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    disabledAtMs: null,
  }
  await uniquely(insertUser(tx, user, keysOf(user)))
  // Nobody knows how long the password is: it counts as long until it is changed.
  if (passwordHash !== undefined) await savePassword(tx, user.id, { passwordHash, isShort: false, nowMs })
  changes.record(tx, caller, {
    ...userChange(user.id, 'user.created', { username: user.username, email: user.email }),
    feed: null,
  })
  return user
}

/** What of a user may be changed by itself; disabling and passwords have operations of their own. */
export async function updateUser(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: UserInput,
): Promise<User> {
  const before = await lockedUser(tx, caller, id)
  checkMetadata(patch.metadata)
  const user: User = {
    ...before,
    username: patch.username === undefined ? before.username : patch.username,
    email: patch.email === undefined ? before.email : patch.email,
    emailVerifiedAtMs: verifiedAt(before, patch, changes.clock.nowMs()),
    name: patch.name ?? before.name,
    metadata: patch.metadata ?? before.metadata,
    updatedAtMs: changes.clock.nowMs(),
  }
  await uniquely(saveUser(tx, user, keysOf(user)))
  const changed = Object.keys(patch).filter((member) => patch[member as keyof UserInput] !== undefined)
  changes.record(tx, caller, { ...userChange(id, 'user.updated', { changed }), feed: null })
  return user
}

/** Disabling ends every session and token at once, and refuses new sign-ins until the user is enabled again. */
export async function setUserDisabled(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  disabled: boolean,
): Promise<User> {
  const before = await lockedUser(tx, caller, id)
  if ((before.disabledAtMs !== null) === disabled) return before
  const nowMs = changes.clock.nowMs()
  const user: User = { ...before, disabledAtMs: disabled ? nowMs : null, updatedAtMs: nowMs }
  await saveUser(tx, user, keysOf(user))
  changes.record(tx, caller, {
    ...userChange(id, disabled ? 'user.disabled' : 'user.enabled'),
    // What was alive before is dead for good; enabling brings none of it back.
    feed: disabled ? { kind: 'subject', key: id, effect: 'revoked', reason: 'disabled' } : null,
  })
  return user
}

/** For ever. Everything that is kept about the person goes with it; the audit keeps the id. */
export async function deleteUser(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  await lockedUser(tx, caller, id)
  await deleteUserRow(tx, id)
  changes.record(tx, caller, {
    ...userChange(id, 'user.deleted'),
    feed: { kind: 'subject', key: id, effect: 'deleted' },
  })
}

/** Ends every session and token that the user has now. Signing in again works. */
export async function signOutEverywhere(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  reason?: string,
): Promise<void> {
  await lockedUser(tx, caller, id)
  changes.record(tx, caller, {
    ...userChange(id, 'user.signed_out_everywhere', { reason: reason ?? null }),
    feed: { kind: 'subject', key: id, effect: 'revoked', reason: reason ?? null },
  })
}

/** Held until COMMIT. A caller confined to a tenant changes no user: a user may belong to other tenants, too. */
export async function lockedUser(tx: Transaction, caller: Caller, id: string): Promise<User> {
  requireDeployment(caller, 'Changing a user')
  const user = await lockUser(tx, id, 'update')
  if (!user) throw notFound('user')
  return user
}

export function userChange(
  id: string,
  action: string,
  data: Readonly<Record<string, unknown>> = {},
): Omit<StateChange, 'feed'> {
  return { action, tenant: null, target: { type: 'user', id }, data }
}

function verifiedAt(before: User, { email, emailVerified }: UserInput, nowMs: number): number | null {
  const after = email === undefined ? before.email : email
  const kept = after === before.email ? before.emailVerifiedAtMs : null
  if (emailVerified === undefined || after === null) return after === null ? null : kept
  return emailVerified ? (kept ?? nowMs) : null
}

export async function uniquely(write: Promise<void>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (error instanceof UniqueViolation)
      throw new PosternError('conflict', 'Another user has this username or e-mail address.')
    throw error
  }
}
