/** Counts of what a revocation would end, over the tables of the modules that keep them. */
import { type RawBuilder, sql } from 'kysely'
import { MANAGEMENT_RESOURCE } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'

/** The targets by kind. */
export interface Reached {
  readonly keys: readonly string[]
  readonly sessions: readonly string[]
  readonly grants: readonly string[]
  readonly clients: readonly string[]
  readonly tenants: readonly string[]
  readonly users: readonly string[]
  /** External owners: [tenant, name]. */
  readonly owners: readonly (readonly [string, string])[]
}

export interface Counts {
  readonly keys: number
  readonly operators: number
  readonly sessions: number
  readonly grants: number
  readonly clients: number
}

export async function countReached(storage: Storage, reached: Reached, nowMs: number): Promise<Counts> {
  const { keys, sessions, grants, clients, tenants, users, owners } = reached
  const management = sql.lit(MANAGEMENT_RESOURCE)
  const keyAmong = [
    ...among('k.id', keys),
    ...among('k.tenant_id', tenants),
    ...among('k.owner', users),
    ...owners.map(([tenant, owner]) => sql`(k.tenant_id = ${tenant} AND k.owner = ${owner})`),
  ]
  const alive = sql`k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ${nowMs})`
  const ofUsers = among('s.user_id', users)
  return {
    keys: await count(storage, sql`api_keys k`, sql`${alive} AND k.resource_id <> ${management}`, keyAmong),
    operators: await count(
      storage,
      sql`api_keys k`,
      sql`${alive} AND k.resource_id = ${management}`,
      among('k.tenant_id', tenants),
    ),
    sessions: await count(storage, sql`sessions s`, sql`s.ended_at IS NULL AND s.expires_at > ${nowMs}`, [
      ...among('s.id', sessions),
      ...ofUsers,
    ]),
    grants: await count(storage, sql`oauth_artifacts a`, sql`a.model = 'Grant' AND a.expires_at > ${nowMs}`, [
      ...among('a.grant_id', grants),
      ...among('a.client_id', clients),
      ...among('a.tenant_id', tenants),
      ...among('a.account_id', users),
      // A grant that ends with its session names it in its payload.
      ...sessions.map(
        (id) => sql`(a.account_id = (SELECT s.user_id FROM sessions s WHERE s.id = ${id})
          AND REPLACE(a.payload, ${`"session":"${id}"`}, '') <> a.payload)`,
      ),
    ]),
    clients: await count(storage, sql`oauth_clients c`, sql`c.deleted_at IS NULL`, [
      ...among('c.id', clients),
      ...among('c.tenant_id', tenants),
    ]),
  }
}

/** How many access tokens were issued since then, to some clients or to all. */
export async function countIssued(
  storage: Storage,
  sinceMs: number,
  clients: readonly string[] | undefined,
): Promise<number> {
  const only =
    clients === undefined
      ? sql`1 = 1`
      : clients.length === 0
        ? sql`1 = 0`
        : sql.join(among('credential', clients))
  const { rows } = await sql<{ issued: number | null }>`
    SELECT SUM(count) AS issued FROM activity
    WHERE minute >= ${Math.floor(sinceMs / 60_000)} AND kind = 'oauth_issued' AND code <> 'code'
      AND (${only} OR credential = '*')`.execute(storage.scan())
  return Number(rows[0]?.issued ?? 0)
}

/** The clients of grants that are alive, at most 1,000. */
export async function clientsOfGrants(storage: Storage, grants: readonly string[]): Promise<string[]> {
  if (grants.length === 0) return []
  const { rows } = await sql<{ id: string }>`
    SELECT DISTINCT a.client_id AS id FROM oauth_artifacts a
    WHERE a.model = 'Grant' AND a.client_id IS NOT NULL AND (${sql.join(among('a.grant_id', grants))})
    LIMIT 1000`.execute(storage.scan())
  return rows.map(({ id }) => id)
}

function among(column: string, values: readonly string[]): RawBuilder<unknown>[] {
  return values.length === 0 ? [] : [sql`${sql.ref(column)} IN (${sql.join([...values])})`]
}

async function count(
  storage: Storage,
  table: RawBuilder<unknown>,
  where: RawBuilder<unknown>,
  any: readonly RawBuilder<unknown>[],
): Promise<number> {
  if (any.length === 0) return 0
  const { rows } = await sql<{ found: number }>`
    SELECT COUNT(*) AS found FROM ${table} WHERE ${where} AND (${sql.join([...any], sql` OR `)})`.execute(
    storage.scan(),
  )
  return Number(rows[0]?.found ?? 0)
}
