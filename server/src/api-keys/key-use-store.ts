/** Where last use and the networks of keys are written. */
import { sql } from 'kysely'
import type { Transaction } from '../storage/index.ts'
import type { NetworkRow } from './list-store.ts'

export interface UseRow {
  readonly keyId: string
  /** Coarse. */
  readonly network: string
  readonly firstSeenMs: number
  lastSeenMs: number
  uses: number
}

export interface NewNetwork {
  readonly keyId: string
  readonly tenantId: string
  readonly network: string
}

interface Tables {
  api_key_networks: NetworkRow
  api_keys: { id: string; tenant_id: string }
}

/** How many networks are remembered for one key: the latest. */
const MOST_NETWORKS = 20

/** At most 500 rows: a few statements for all of them. Answers what is a first use from a network, but for a key's first. */
export async function addUses(tx: Transaction, uses: readonly UseRow[]): Promise<NewNetwork[]> {
  if (uses.length === 0) return []
  const db = tx.over<Tables>()
  const before = await db
    .selectFrom('api_key_networks as n')
    .innerJoin('api_keys as k', 'k.id', 'n.key_id')
    .select(['n.key_id', 'n.network', 'k.tenant_id'])
    .where('n.key_id', 'in', [...new Set(uses.map(({ keyId }) => keyId))])
    .execute()
  const latest = new Map<string, UseRow>()
  for (const use of uses) {
    const known = latest.get(use.keyId)
    if (!known || known.lastSeenMs < use.lastSeenMs) latest.set(use.keyId, use)
  }
  // In the order of ids, as all locks on keys are taken.
  const keys = [...latest.values()].sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
  const values = keys.map((use) => sql`(${use.keyId}, CAST(${use.lastSeenMs} AS BIGINT), ${use.network})`)
  await sql`
    WITH used(id, at, network) AS (VALUES ${sql.join(values)})
    UPDATE api_keys SET last_used_at = used.at, last_used_network = used.network FROM used
    WHERE api_keys.id = used.id AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)`.execute(
    db,
  )

  await db
    .insertInto('api_key_networks')
    .values(
      uses.map((use) => ({
        key_id: use.keyId,
        network: use.network,
        first_seen: use.firstSeenMs,
        last_seen: use.lastSeenMs,
        uses: use.uses,
      })),
    )
    .onConflict((conflict) =>
      conflict.columns(['key_id', 'network']).doUpdateSet({
        last_seen: sql`CASE WHEN excluded.last_seen > api_key_networks.last_seen THEN excluded.last_seen ELSE api_key_networks.last_seen END`,
        uses: sql`api_key_networks.uses + excluded.uses`,
      }),
    )
    .execute()

  const ids = sql.join(keys.map((use) => use.keyId))
  await sql`
    DELETE FROM api_key_networks WHERE (key_id, network) IN (
      SELECT key_id, network FROM (
        SELECT key_id, network, ROW_NUMBER() OVER (PARTITION BY key_id ORDER BY last_seen DESC, network) AS place
        FROM api_key_networks WHERE key_id IN (${ids})) AS ranked
      WHERE place > ${MOST_NETWORKS})`.execute(db)

  const tenants = new Map(before.map((row) => [row.key_id, row.tenant_id]))
  const known = new Set(before.map((row) => `${row.key_id} ${row.network}`))
  return uses.flatMap(({ keyId, network }) => {
    const tenantId = tenants.get(keyId)
    return tenantId === undefined || known.has(`${keyId} ${network}`) ? [] : [{ keyId, tenantId, network }]
  })
}
