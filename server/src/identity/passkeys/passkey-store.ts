/** The passkeys' table. */
import type { Storage, Transaction } from '../../storage/index.ts'
import type { Passkey } from './passkey.ts'

interface PasskeyTable {
  id: string
  user_id: string
  credential_id: string
  public_key: string
  counter: number
  transports: string
  synced: number
  name: string
  created_at: number
  last_used_at: number | null
}

interface Tables {
  passkeys: PasskeyTable
}

export async function insertPasskey(tx: Transaction, passkey: Passkey): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('passkeys')
    .values({
      id: passkey.id,
      user_id: passkey.userId,
      credential_id: passkey.credentialId,
      public_key: passkey.publicKey,
      counter: passkey.counter,
      transports: JSON.stringify(passkey.transports),
      synced: passkey.synced ? 1 : 0,
      name: passkey.name,
      created_at: passkey.createdAtMs,
      last_used_at: passkey.lastUsedAtMs,
    })
    .execute()
}

export async function selectByCredential(
  storage: Storage,
  credentialId: string,
): Promise<Passkey | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('passkeys')
    .selectAll()
    .where('credential_id', '=', credentialId)
    .executeTakeFirst()
  return row && fromRow(row)
}

/** All of a user, oldest first; their number is bounded. */
export async function selectPasskeys(storage: Storage, userId: string): Promise<Passkey[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('passkeys')
    .selectAll()
    .where('user_id', '=', userId)
    .orderBy('id')
    .execute()
  return rows.map(fromRow)
}

export async function countPasskeys(tx: Transaction, userId: string): Promise<number> {
  const rows = await tx
    .over<Tables>()
    .selectFrom('passkeys')
    .select('id')
    .where('user_id', '=', userId)
    .execute()
  return rows.length
}

/**
 * Notes a use, if the authenticator's counter rose or it counts nothing. False: the passkey is gone, or two
 * authenticators have its key.
 */
export async function noteUse(
  tx: Transaction,
  id: string,
  { counter, synced, nowMs }: { counter: number; synced: boolean; nowMs: number },
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .updateTable('passkeys')
    .set({ counter, synced: synced ? 1 : 0, last_used_at: nowMs })
    .where('id', '=', id)
    .where('counter', counter === 0 ? '=' : '<', counter)
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

export async function renamePasskeyRow(
  tx: Transaction,
  { id, userId, name }: Pick<Passkey, 'id' | 'userId' | 'name'>,
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .updateTable('passkeys')
    .set({ name })
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

/** Answers whether there was one. */
export async function deletePasskey(tx: Transaction, id: string, userId: string): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .deleteFrom('passkeys')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .returning('id')
    .executeTakeFirst()
  return row !== undefined
}

export async function deletePasskeysOf(tx: Transaction, userId: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('passkeys').where('user_id', '=', userId).execute()
}

function fromRow(row: PasskeyTable): Passkey {
  return {
    id: row.id,
    userId: row.user_id,
    credentialId: row.credential_id,
    publicKey: row.public_key,
    counter: row.counter,
    transports: JSON.parse(row.transports) as string[],
    synced: row.synced === 1,
    name: row.name,
    createdAtMs: row.created_at,
    lastUsedAtMs: row.last_used_at,
  }
}
