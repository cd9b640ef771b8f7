/** The consents' table. */
import { sql } from 'kysely'
import type { FloorTable } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'

export interface ConsentTable {
  user_id: string
  client_id: string
  tenant_id: string
  scopes: string
  rsn: number
  created_at: number
  updated_at: number
}

interface Tables {
  oauth_consents: ConsentTable
  feed_floors: FloorTable
}

/** Undefined under a newer floor of the client: one that was stolen has to be allowed again. */
export async function selectConsent(
  storage: Storage,
  userId: string,
  clientId: string,
  tenantId: string,
): Promise<ConsentTable | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('oauth_consents as c')
    .selectAll('c')
    .select(
      sql<
        number | null
      >`(SELECT MAX(f.seq) FROM feed_floors f WHERE f.kind = 'client' AND f.key = c.client_id)`.as('floor'),
    )
    .where('c.user_id', '=', userId)
    .where('c.client_id', '=', clientId)
    .where('c.tenant_id', '=', tenantId)
    .executeTakeFirst()
  return row && (row.floor ?? 0) <= row.rsn ? row : undefined
}

export async function putConsent(tx: Transaction, row: ConsentTable): Promise<void> {
  const { scopes, rsn, updated_at } = row
  await tx
    .over<Tables>()
    .insertInto('oauth_consents')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['user_id', 'client_id', 'tenant_id']).doUpdateSet({ scopes, rsn, updated_at }),
    )
    .execute()
}
