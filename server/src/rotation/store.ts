/** What is due to be rotated, over the tables of the modules that keep it, and what was warned of. */
import { sql } from 'kysely'
import { MANAGEMENT_RESOURCE } from '../kernel/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'

export interface AgingKeyRow {
  readonly id: string
  readonly owner: string
  readonly tenantId: string
  readonly resourceId: string
  readonly resourceUri: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
  readonly maxAgeSeconds: number | null
  readonly noticeSeconds: number
}

export interface AgingFilter {
  readonly tenantId?: string | undefined
  /** Resources to stay within: the caller's. */
  readonly resourceIds?: readonly string[] | undefined
  readonly operators: boolean
}

/** Living keys without a successor that are near their end or their greatest age, or beyond it; by id, above `after`. */
export async function selectAgingKeys(
  storage: Storage,
  { tenantId, resourceIds, operators }: AgingFilter,
  { nowMs, after, limit }: { nowMs: number; after: string | undefined; limit: number },
): Promise<AgingKeyRow[]> {
  const management = sql.lit(MANAGEMENT_RESOURCE)
  const { rows } = await sql<AgingKeyRow>`
    SELECT k.id AS "id", k.owner AS "owner", k.tenant_id AS "tenantId", k.resource_id AS "resourceId",
      r.uri AS "resourceUri", k.created_at AS "createdAtMs", k.expires_at AS "expiresAtMs",
      r.key_max_age_seconds AS "maxAgeSeconds", r.rotation_notice_seconds AS "noticeSeconds"
    FROM api_keys k JOIN resources r ON r.id = k.resource_id
    WHERE k.revoked_at IS NULL AND k.rotated_to IS NULL AND r.deleted_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > ${nowMs})
      AND (k.created_at + r.key_max_age_seconds * 1000 <= ${nowMs} + r.rotation_notice_seconds * 1000
        OR k.expires_at <= ${nowMs} + r.rotation_notice_seconds * 1000)
      AND ${operators ? sql`k.resource_id = ${management}` : sql`k.resource_id <> ${management}`}
      AND ${tenantId === undefined ? sql`1 = 1` : sql`k.tenant_id = ${tenantId}`}
      AND ${
        resourceIds === undefined
          ? sql`1 = 1`
          : resourceIds.length === 0
            ? sql`1 = 0`
            : sql`k.resource_id IN (${sql.join([...resourceIds])})`
      }
      AND k.id > ${after ?? ''}
    ORDER BY k.id LIMIT ${limit}`.execute(storage.scan())
  return rows
}

interface Tables {
  rotation_warnings: { credential: string; state: string; at: number }
}

/** Which of these were warned of, in which state. */
export async function selectWarned(tx: Transaction, credentials: readonly string[]): Promise<Set<string>> {
  if (credentials.length === 0) return new Set()
  const rows = await tx
    .over<Tables>()
    .selectFrom('rotation_warnings')
    .select(['credential', 'state'])
    .where('credential', 'in', credentials)
    .execute()
  return new Set(rows.map(({ credential, state }) => `${credential} ${state}`))
}

export async function insertWarning(
  tx: Transaction,
  credential: string,
  state: string,
  at: number,
): Promise<void> {
  await tx.over<Tables>().insertInto('rotation_warnings').values({ credential, state, at }).execute()
}

/** What is no longer of use: a credential is warned of again after so long, if it is still there. */
export async function deleteWarnings(tx: Transaction, beforeMs: number): Promise<void> {
  await tx.over<Tables>().deleteFrom('rotation_warnings').where('at', '<', beforeMs).execute()
}

export interface Census {
  readonly keys: { active: number; never_expire: number; unused_90_days: number }
  readonly grants: number
  readonly clients: number
  readonly users: number
}

/** Figures of the whole deployment. */
export async function selectCensus(storage: Storage, nowMs: number): Promise<Census> {
  const alive = sql`revoked_at IS NULL AND disabled_at IS NULL AND (expires_at IS NULL OR expires_at > ${nowMs})
    AND resource_id <> ${sql.lit(MANAGEMENT_RESOURCE)}`
  const longAgo = nowMs - 90 * 86_400_000
  const { rows } = await sql<Record<string, number>>`
    SELECT
      (SELECT COUNT(*) FROM api_keys WHERE ${alive}) AS active,
      (SELECT COUNT(*) FROM api_keys WHERE ${alive} AND expires_at IS NULL) AS never_expire,
      (SELECT COUNT(*) FROM api_keys WHERE ${alive} AND created_at < ${longAgo}
        AND (last_used_at IS NULL OR last_used_at < ${longAgo})) AS unused,
      (SELECT COUNT(*) FROM oauth_artifacts WHERE model = 'Grant' AND expires_at > ${nowMs}) AS grants,
      (SELECT COUNT(*) FROM oauth_clients WHERE deleted_at IS NULL) AS clients,
      (SELECT COUNT(*) FROM users) AS users`.execute(storage.scan())
  const count = (name: string): number => Number(rows[0]?.[name] ?? 0)
  return {
    keys: {
      active: count('active'),
      never_expire: count('never_expire'),
      unused_90_days: count('unused'),
    },
    grants: count('grants'),
    clients: count('clients'),
    users: count('users'),
  }
}
