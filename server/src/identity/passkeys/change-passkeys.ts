/** Renaming and removing passkeys: their owner's work, or an operator's where a device was lost. */
import { type Caller, type ChangeMaker, notFound } from '../../kernel/index.ts'
import type { Changes } from '../../revocation/index.ts'
import type { Storage, Transaction } from '../../storage/index.ts'
import { lockedUser } from '../change-users.ts'
import { endOtherSessions } from '../end-other-sessions.ts'
import { getUser } from '../read-users.ts'
import { deletePasskey, renamePasskeyRow, selectPasskeys } from './passkey-store.ts'
import { type Passkey, passkeyName } from './passkey.ts'

export interface WhichPasskey {
  readonly id: string
  readonly userId: string
}

/** Throws `not_found`. */
export async function renamePasskey(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  { id, userId }: WhichPasskey,
  name: string,
): Promise<void> {
  if (!(await renamePasskeyRow(tx, { id, userId, name: passkeyName(name) }))) throw notFound('passkey')
  changes.record(tx, by, {
    action: 'passkey.renamed',
    tenant: null,
    target: { type: 'user', id: userId },
    data: { passkey: id },
    feed: null,
  })
}

/**
 * Throws `not_found`. Sessions but for `keep` end: whoever has the device that is given up may be signed in with it.
 */
export async function removePasskey(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  { id, userId }: WhichPasskey,
  keep: string | undefined,
): Promise<void> {
  if (!(await deletePasskey(tx, id, userId))) throw notFound('passkey')
  changes.record(tx, by, {
    action: 'passkey.removed',
    tenant: null,
    target: { type: 'user', id: userId },
    data: { passkey: id },
    feed: null,
  })
  await endOtherSessions(tx, changes, by, { userId, keep, reason: 'passkey removed' })
}

export async function listPasskeys(storage: Storage, caller: Caller, userId: string): Promise<Passkey[]> {
  await getUser(storage, caller, userId)
  return selectPasskeys(storage, userId)
}

/** An operator removes one; all of the user's sessions end. */
export async function removeUsersPasskey(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  which: WhichPasskey,
): Promise<void> {
  await lockedUser(tx, caller, which.userId)
  await removePasskey(tx, changes, caller, which, undefined)
}
