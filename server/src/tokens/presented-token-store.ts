/** The one read of a token's first sight: its resource, tenant and key, and whether anything in the feed denies it. */
import { sql } from 'kysely'
import { type FeedKind, TERMINAL_KINDS } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'

/** A kind and key of the feed that the token depends on. */
export type Dependency = readonly [FeedKind, string]

export interface StandingQuestion {
  readonly audiences: readonly string[]
  readonly tenantId: string
  /** Own tokens: the key that signed it. */
  readonly kid: string | null
  /** Tokens of a trusted issuer: which. */
  readonly issuerId: string | null
  readonly dependsOn: readonly Dependency[]
}

export interface Standing {
  /** The feed's head on the primary. */
  readonly head: number
  readonly resourceId: string | null
  readonly resourceUri: string
  readonly resourceScopes: string
  readonly resourceCreatedAtMs: number
  readonly cacheSeconds: number
  readonly tenantId: string | null
  readonly tenantDisabledAt: number | null
  readonly tenantDeletedAt: number | null
  readonly keyState: string | null
  readonly issuerUpdatedAt: number | null
  /** Unix seconds. */
  readonly issuerRevokedBefore: number | null
  /** 1 when something it depends on has ended for ever. */
  readonly ended: number
  /** The highest level raised over it; null: none. */
  readonly floor: number | null
}

/** Whether tokens may no longer be bound to a proof key. Asked when one is issued. */
export async function isProofKeyRevoked(storage: Storage, jkt: string): Promise<boolean> {
  const { rows } = await sql<{ seq: number }>`
    SELECT f.seq AS "seq" FROM feed_floors f WHERE f.kind = 'proof_key' AND f.key = ${jkt}`.execute(
    storage.read(),
  )
  return rows.length > 0
}

/**
 * One row for each living resource that the audiences name, at most two; with none, one row without a resource. All of
 * it is one statement, and so one moment of the database.
 */
export async function selectStanding(storage: Storage, asked: StandingQuestion): Promise<Standing[]> {
  const among = sql.join(
    asked.dependsOn.map(([kind, key]) => sql`(f.key = ${key} AND f.kind = ${kind})`),
    sql` OR `,
  )
  const terminal = sql.join(TERMINAL_KINDS.map((kind) => sql.lit(kind)))
  const { rows } = await sql<Standing>`
    SELECT h.seq AS "head",
      r.id AS "resourceId", r.uri AS "resourceUri", r.scopes AS "resourceScopes",
      r.created_at AS "resourceCreatedAtMs", r.cache_seconds AS "cacheSeconds",
      t.id AS "tenantId", t.disabled_at AS "tenantDisabledAt", t.deleted_at AS "tenantDeletedAt",
      k.state AS "keyState",
      i.updated_at AS "issuerUpdatedAt", i.revoked_before AS "issuerRevokedBefore",
      CASE WHEN EXISTS (SELECT 1 FROM feed_rows f WHERE (${among}) AND
        (f.effect = 'deleted' OR (f.effect = 'revoked' AND f.kind IN (${terminal}))))
        OR EXISTS (SELECT 1 FROM feed_floors f WHERE f.kind IN (${terminal}) AND (${among}))
        THEN 1 ELSE 0 END AS "ended",
      (SELECT MAX(f.seq) FROM feed_floors f
        WHERE ${among} OR (f.kind = 'resource' AND f.key = r.id)) AS "floor"
    FROM feed_head h
    LEFT JOIN resources r ON r.uri IN (${sql.join([...asked.audiences])}) AND r.deleted_at IS NULL
    LEFT JOIN tenants t ON t.id = ${asked.tenantId}
    LEFT JOIN signing_keys k ON k.kid = ${asked.kid}
    LEFT JOIN trusted_issuers i ON i.id = ${asked.issuerId} AND i.deleted_at IS NULL
    WHERE h.id = 1
    LIMIT 2`.execute(storage.read())
  return rows
}
