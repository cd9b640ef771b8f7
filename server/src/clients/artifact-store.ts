/** The artifacts' table. Every read is by an index and goes to the primary. */
import { sql } from 'kysely'
import type { FloorTable } from '../revocation/index.ts'
import { forShare, forUpdate, type Storage, type Transaction } from '../storage/index.ts'

export interface ArtifactRow {
  model: string
  id_hash: string
  payload: string
  grant_id: string | null
  uid_hash: string | null
  user_code_hash: string | null
  account_id: string | null
  client_id: string | null
  tenant_id: string | null
  rsn: number
  expires_at: number
  consumed_at: number | null
}

interface Tables {
  oauth_artifacts: ArtifactRow
  feed_floors: FloorTable
}

export type Finder = 'id_hash' | 'uid_hash' | 'user_code_hash'

/** Undefined under a floor that is newer than the artifact: a revocation outranks whatever was made before it. */
export async function selectArtifact(
  storage: Storage,
  model: string,
  by: Finder,
  hash: string,
): Promise<ArtifactRow | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('oauth_artifacts as a')
    .selectAll('a')
    .select(FLOOR.as('floor'))
    .where('a.model', '=', model)
    .where(`a.${by}`, '=', hash)
    .executeTakeFirst()
  return row && (row.floor ?? 0) <= row.rsn ? row : undefined
}

/** The first of these that is there, whatever floors are above it: for whoever judges floors too. */
export async function selectPayload(
  storage: Storage,
  names: readonly { readonly model: string; readonly idHash: string }[],
): Promise<Pick<ArtifactRow, 'payload' | 'id_hash'> | undefined> {
  return storage
    .read<Tables>()
    .selectFrom('oauth_artifacts')
    .select(['payload', 'id_hash'])
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('model', 'id_hash'),
        'in',
        names.map((name) => tuple(name.model, name.idHash)),
      ),
    )
    .limit(1)
    .executeTakeFirst()
}

const FLOOR = sql<number | null>`(
  SELECT MAX(f.seq) FROM feed_floors f WHERE
    (f.kind = 'subject' AND f.key = a.account_id) OR (f.kind = 'client' AND f.key = a.client_id) OR
    (f.kind = 'tenant' AND f.key = a.tenant_id))`

/** Writes it, or writes it again. What was consumed stays consumed. */
export async function upsertArtifact(tx: Transaction, row: ArtifactRow): Promise<void> {
  const { model: _, id_hash: __, consumed_at: ___, rsn: ____, ...rest } = row
  await tx
    .over<Tables>()
    .insertInto('oauth_artifacts')
    .values(row)
    .onConflict((conflict) => conflict.columns(['model', 'id_hash']).doUpdateSet(rest))
    .execute()
}

/** False when it was there: of many at once, one inserts. */
export async function insertOnce(tx: Transaction, row: ArtifactRow): Promise<boolean> {
  const inserted = await tx
    .over<Tables>()
    .insertInto('oauth_artifacts')
    .values(row)
    .onConflict((conflict) => conflict.columns(['model', 'id_hash']).doNothing())
    .returning('id_hash')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Answers the row to the one caller that consumes it; undefined to everybody else, and for what is not there. */
export async function markConsumed(
  tx: Transaction,
  model: string,
  idHash: string,
  nowMs: number,
): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .updateTable('oauth_artifacts')
    .set({ consumed_at: nowMs })
    .where('model', '=', model)
    .where('id_hash', '=', idHash)
    .where('consumed_at', 'is', null)
    .returning('id_hash')
    .executeTakeFirst()
  return row !== undefined
}

export async function lockArtifact(
  tx: Transaction,
  model: string,
  idHash: string,
  how: 'share' | 'update',
): Promise<ArtifactRow | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('oauth_artifacts')
    .selectAll()
    .where('model', '=', model)
    .where('id_hash', '=', idHash)
  return (how === 'share' ? forShare(tx, query) : forUpdate(tx, query)).executeTakeFirst()
}

export async function deleteArtifact(
  tx: Transaction,
  model: string,
  idHash: string,
): Promise<ArtifactRow | undefined> {
  return tx
    .over<Tables>()
    .deleteFrom('oauth_artifacts')
    .where('model', '=', model)
    .where('id_hash', '=', idHash)
    .returningAll()
    .executeTakeFirst()
}

/** A grant and all that came of it; answers what went. */
export async function deleteGrant(tx: Transaction, grantId: string): Promise<ArtifactRow[]> {
  return tx
    .over<Tables>()
    .deleteFrom('oauth_artifacts')
    .where('grant_id', '=', grantId)
    .returningAll()
    .execute()
}

/** Those of these models; answers how many. */
export async function deleteModels(tx: Transaction, models: readonly string[]): Promise<number> {
  const rows = await tx
    .over<Tables>()
    .deleteFrom('oauth_artifacts')
    .where('model', 'in', models)
    .returning('id_hash')
    .execute()
  return rows.length
}

/** Deletes at most `limit` that have expired; rows that somebody holds are left for the next time. */
export async function deleteExpired(tx: Transaction, nowMs: number, limit: number): Promise<number> {
  const db = tx.over<Tables>()
  let due = db
    .selectFrom('oauth_artifacts')
    .select(['model', 'id_hash'])
    .where('expires_at', '<', nowMs)
    .orderBy('expires_at')
    .limit(limit)
  if (tx.dialect === 'postgres') due = due.forUpdate().skipLocked()
  const rows = await due.execute()
  if (rows.length === 0) return 0
  await db
    .deleteFrom('oauth_artifacts')
    .where(({ eb, refTuple, tuple }) =>
      eb(
        refTuple('model', 'id_hash'),
        'in',
        rows.map((row) => tuple(row.model, row.id_hash)),
      ),
    )
    .execute()
  return rows.length
}
