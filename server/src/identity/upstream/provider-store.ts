/** The tables of providers and of who people are there. */
import { forUpdate, type Storage, type Transaction } from '../../storage/index.ts'
import type { Provider, ProviderKind } from './provider.ts'

interface ProviderTable {
  id: string
  name: string
  kind: string
  issuer: string
  client_id: string
  sealed_secret: string
  created_at: number
  updated_at: number
  disabled_at: number | null
}

interface IdentityTable {
  provider_id: string
  subject: string
  user_id: string
  email: string
  created_at: number
  last_used_at: number | null
}

interface Tables {
  sign_in_providers: ProviderTable
  upstream_identities: IdentityTable
}

export type SealedProvider = Provider & { readonly sealedSecret: string }

/** There are few. */
export async function selectProviders(storage: Storage): Promise<SealedProvider[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('sign_in_providers')
    .selectAll()
    .orderBy('id')
    .execute()
  return rows.map(fromRow)
}

export async function lockProviders(tx: Transaction): Promise<SealedProvider[]> {
  const query = tx.over<Tables>().selectFrom('sign_in_providers').selectAll().orderBy('id')
  return (await forUpdate(tx, query).execute()).map(fromRow)
}

export async function insertProvider(tx: Transaction, provider: SealedProvider): Promise<void> {
  await tx.over<Tables>().insertInto('sign_in_providers').values(toRow(provider)).execute()
}

export async function saveProvider(tx: Transaction, provider: SealedProvider): Promise<void> {
  const { id, ...row } = toRow(provider)
  await tx.over<Tables>().updateTable('sign_in_providers').set(row).where('id', '=', id).execute()
}

/** With everything that people brought from there. */
export async function deleteProviderRows(tx: Transaction, id: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('upstream_identities').where('provider_id', '=', id).execute()
  await tx.over<Tables>().deleteFrom('sign_in_providers').where('id', '=', id).execute()
}

export interface Connection {
  readonly providerId: string
  readonly subject: string
  readonly email: string
  readonly createdAtMs: number
  readonly lastUsedAtMs: number | null
}

/** Whose this identity is; notes its use. */
export async function useConnection(
  tx: Transaction,
  { providerId, subject, nowMs }: { providerId: string; subject: string; nowMs: number },
): Promise<string | undefined> {
  const row = await tx
    .over<Tables>()
    .updateTable('upstream_identities')
    .set({ last_used_at: nowMs })
    .where('provider_id', '=', providerId)
    .where('subject', '=', subject)
    .returning('user_id')
    .executeTakeFirst()
  return row?.user_id
}

/** False when the identity is somebody's already. */
export async function insertConnection(
  tx: Transaction,
  userId: string,
  { providerId, subject, email, createdAtMs }: Connection,
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .insertInto('upstream_identities')
    .values({
      provider_id: providerId,
      subject,
      user_id: userId,
      email,
      created_at: createdAtMs,
      last_used_at: null,
    })
    .onConflict((conflict) => conflict.columns(['provider_id', 'subject']).doNothing())
    .returning('user_id')
    .executeTakeFirst()
  return row !== undefined
}

export async function selectConnections(storage: Storage, userId: string): Promise<Connection[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('upstream_identities')
    .selectAll()
    .where('user_id', '=', userId)
    .orderBy('provider_id')
    .orderBy('subject')
    .execute()
  return rows.map((row) => ({
    providerId: row.provider_id,
    subject: row.subject,
    email: row.email,
    createdAtMs: row.created_at,
    lastUsedAtMs: row.last_used_at,
  }))
}

export async function deleteConnection(
  tx: Transaction,
  userId: string,
  providerId: string,
): Promise<boolean> {
  const rows = await tx
    .over<Tables>()
    .deleteFrom('upstream_identities')
    .where('user_id', '=', userId)
    .where('provider_id', '=', providerId)
    .returning('subject')
    .execute()
  return rows.length > 0
}

export async function deleteConnectionsOf(tx: Transaction, userId: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('upstream_identities').where('user_id', '=', userId).execute()
}

function toRow(provider: SealedProvider): ProviderTable {
  return {
    id: provider.id,
    name: provider.name,
    kind: provider.kind,
    issuer: provider.issuer,
    client_id: provider.clientId,
    sealed_secret: provider.sealedSecret,
    created_at: provider.createdAtMs,
    updated_at: provider.updatedAtMs,
    disabled_at: provider.disabledAtMs,
  }
}

function fromRow(row: ProviderTable): SealedProvider {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as ProviderKind,
    issuer: row.issuer,
    clientId: row.client_id,
    sealedSecret: row.sealed_secret,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
    disabledAtMs: row.disabled_at,
  }
}
