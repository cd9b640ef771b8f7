/** The users' table. */
import { forShare, forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { MembershipTable } from './membership-store.ts'
import { deleteOneTimeCodes } from './one-time-codes/code-store.ts'
import { deletePasskeysOf } from './passkeys/passkey-store.ts'
import { deleteTicketsOf } from './tickets/ticket-store.ts'
import { deleteConnectionsOf } from './upstream/provider-store.ts'
import type { IdentifierKey } from './user-names.ts'
import type { User } from './user.ts'

export interface UserTable {
  id: string
  username: string | null
  username_key: string | null
  email: string | null
  email_key: string | null
  email_verified_at: number | null
  name: string
  metadata: string
  password_hash: string | null
  password_set_at: number | null
  password_short: number
  created_at: number
  updated_at: number
  disabled_at: number | null
}

interface Tables {
  users: UserTable
  memberships: MembershipTable
}

/** Everything but the password's hash, so that no list or page can show it. */
export const USER_COLUMNS = [
  'users.id',
  'users.username',
  'users.email',
  'users.email_verified_at',
  'users.name',
  'users.metadata',
  'users.password_set_at',
  'users.password_short',
  'users.created_at',
  'users.updated_at',
  'users.disabled_at',
] as const

export interface UserKeys {
  readonly usernameKey: string | null
  readonly emailKey: string | null
}

export async function insertUser(tx: Transaction, user: User, keys: UserKeys): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('users')
    .values({ ...toRow(user, keys), id: user.id, created_at: user.createdAtMs, password_hash: null })
    .execute()
}

export async function saveUser(tx: Transaction, user: User, keys: UserKeys): Promise<void> {
  await tx.over<Tables>().updateTable('users').set(toRow(user, keys)).where('id', '=', user.id).execute()
}

export async function savePassword(
  tx: Transaction,
  id: string,
  { passwordHash, isShort, nowMs }: { passwordHash: string; isShort: boolean; nowMs: number },
): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('users')
    .set({
      password_hash: passwordHash,
      password_set_at: nowMs,
      password_short: isShort ? 1 : 0,
      updated_at: nowMs,
    })
    .where('id', '=', id)
    .execute()
}

/** The same password under newer parameters, unless it was changed meanwhile. */
export async function saveRehash(tx: Transaction, id: string, from: string, to: string): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('users')
    .set({ password_hash: to })
    .where('id', '=', id)
    .where('password_hash', '=', from)
    .execute()
}

export async function deleteUserRow(tx: Transaction, id: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('memberships').where('user_id', '=', id).execute()
  await deletePasskeysOf(tx, id)
  await deleteOneTimeCodes(tx, id)
  await deleteTicketsOf(tx, id)
  await deleteConnectionsOf(tx, id)
  await tx.over<Tables>().deleteFrom('users').where('id', '=', id).execute()
}

/** A user, kept from being changed by others (`update`) or from disappearing (`share`) until COMMIT. */
export async function lockUser(
  tx: Transaction,
  id: string,
  how: 'share' | 'update',
): Promise<User | undefined> {
  const query = tx.over<Tables>().selectFrom('users').select(USER_COLUMNS).where('id', '=', id)
  const row = await (how === 'share' ? forShare(tx, query) : forUpdate(tx, query)).executeTakeFirst()
  return row && userFromRow(row)
}

/** What a password is checked against, held until COMMIT. */
export async function lockPassword(
  tx: Transaction,
  id: string,
): Promise<{ passwordHash: string | null; disabled: boolean } | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('users')
    .select(['password_hash', 'disabled_at'])
    .where('id', '=', id)
  const row = await forShare(tx, query).executeTakeFirst()
  return row && { passwordHash: row.password_hash, disabled: row.disabled_at !== null }
}

export async function selectUser(storage: Storage, id: string): Promise<User | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('users')
    .select(USER_COLUMNS)
    .where('id', '=', id)
    .executeTakeFirst()
  return row && userFromRow(row)
}

/** For sign-in alone: the only read that brings the hash along. */
export async function selectByIdentifier(
  storage: Storage,
  { kind, key }: IdentifierKey,
): Promise<{ user: User; passwordHash: string | null } | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('users')
    .select([...USER_COLUMNS, 'users.password_hash'])
    .where(kind === 'email' ? 'email_key' : 'username_key', '=', key)
    .executeTakeFirst()
  return row && { user: userFromRow(row), passwordHash: row.password_hash }
}

export interface UserFilter {
  readonly tenantId?: string | undefined
  readonly identifier?: IdentifierKey | undefined
}

/** In the order of their ids, above `after`. */
export async function selectUsers(
  storage: Storage,
  filter: UserFilter,
  after: string | undefined,
  limit: number,
): Promise<User[]> {
  let query = storage.scan<Tables>().selectFrom('users').select(USER_COLUMNS).orderBy('users.id').limit(limit)
  const { tenantId, identifier } = filter
  if (tenantId !== undefined)
    query = query.where(({ exists, selectFrom }) =>
      exists(
        selectFrom('memberships')
          .select('memberships.user_id')
          .whereRef('memberships.user_id', '=', 'users.id')
          .where('memberships.tenant_id', '=', tenantId),
      ),
    )
  if (identifier !== undefined)
    query = query.where(
      identifier.kind === 'email' ? 'users.email_key' : 'users.username_key',
      '=',
      identifier.key,
    )
  if (after !== undefined) query = query.where('users.id', '>', after)
  return (await query.execute()).map(userFromRow)
}

function toRow(user: User, keys: UserKeys): Omit<UserTable, 'id' | 'created_at' | 'password_hash'> {
  return {
    username: user.username,
    username_key: keys.usernameKey,
    email: user.email,
    email_key: keys.emailKey,
    email_verified_at: user.emailVerifiedAtMs,
    name: user.name,
    metadata: JSON.stringify(user.metadata),
    password_set_at: user.passwordSetAtMs,
    password_short: user.passwordShort ? 1 : 0,
    updated_at: user.updatedAtMs,
    disabled_at: user.disabledAtMs,
  }
}

export type UserRow = Omit<UserTable, 'username_key' | 'email_key' | 'password_hash'>

export function userFromRow(row: UserRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    emailVerifiedAtMs: row.email_verified_at,
    name: row.name,
    metadata: JSON.parse(row.metadata) as User['metadata'],
    passwordSetAtMs: row.password_set_at,
    passwordShort: row.password_short === 1,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    disabledAtMs: row.disabled_at,
  }
}
