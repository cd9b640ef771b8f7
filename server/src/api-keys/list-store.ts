/** Lists of keys: filters, pages, counts. On their own thread or connection, never on the hot path. */
import { type Kysely, type SelectQueryBuilder, sql } from 'kysely'
import { MANAGEMENT_RESOURCE } from '../kernel/index.ts'
import { forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { ApiKey, KeyStatus } from './api-key.ts'
import { type ApiKeyTable, keyFromRow } from './store.ts'

interface Tables {
  api_keys: ApiKeyTable
  api_key_networks: NetworkRow
}

export interface NetworkRow {
  key_id: string
  network: string
  first_seen: number
  last_seen: number
  uses: number
}

export interface KeyFilter {
  readonly tenantId?: string | undefined
  readonly owner?: string | undefined
  readonly resourceId?: string | undefined
  /** Resources to stay within: the caller's. */
  readonly resourceIds?: readonly string[] | undefined
  readonly scope?: string | undefined
  readonly environment?: string | undefined
  readonly name?: string | undefined
  readonly status?: KeyStatus | undefined
  readonly lastUsedBeforeMs?: number | undefined
  readonly expiringBeforeMs?: number | undefined
  readonly createdBeforeMs?: number | undefined
  /** Reaching the greatest age that their resource allows before that. */
  readonly dueBeforeMs?: number | undefined
  readonly ids?: readonly string[] | undefined
  /** Leaves out keys that were revoked already. */
  readonly unrevoked?: boolean | undefined
  /** Leaves out keys that have a successor: they are already being rotated. */
  readonly notRotated?: boolean | undefined
}

/** In the order of ids, above `after`. Operators' keys are in no list but their own. */
export async function selectKeys(
  storage: Storage,
  filter: KeyFilter,
  page: { after?: string | undefined; limit: number; nowMs: number; operators?: boolean },
): Promise<ApiKey[]> {
  const query = filtered(storage.scan<Tables>(), filter, page.nowMs, page.operators ?? false)
    .selectAll()
    .orderBy('id')
    .limit(page.limit)
  const rows = await (page.after === undefined ? query : query.where('id', '>', page.after)).execute()
  return rows.map(keyFromRow)
}

/** The same, locked in the order of ids: a batch of bulk work. */
export async function lockKeys(
  tx: Transaction,
  filter: KeyFilter,
  page: { after?: string | undefined; limit: number; nowMs: number },
): Promise<ApiKey[]> {
  let query = filtered(tx.over<Tables>(), filter, page.nowMs, false)
    .selectAll()
    .orderBy('id')
    .limit(page.limit)
  if (page.after !== undefined) query = query.where('id', '>', page.after)
  return (await forUpdate(tx, query).execute()).map(keyFromRow)
}

export async function countKeys(
  storage: Storage,
  filter: KeyFilter,
  nowMs: number,
): Promise<{ matched: number; byOwner: { owner: string; count: number }[] }> {
  const base = filtered(storage.scan<Tables>(), filter, nowMs, false)
  const total = await base.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow()
  const byOwner = await base
    .select(({ fn }) => ['owner', fn.countAll<number>().as('count')])
    .groupBy('owner')
    .orderBy('count', 'desc')
    .orderBy('owner')
    .limit(20)
    .execute()
  return {
    matched: Number(total.count),
    byOwner: byOwner.map((row) => ({ owner: row.owner, count: Number(row.count) })),
  }
}

/** Where a key was used from, latest first. */
export async function selectNetworks(storage: Storage, keyId: string): Promise<NetworkRow[]> {
  return storage
    .read<Tables>()
    .selectFrom('api_key_networks')
    .selectAll()
    .where('key_id', '=', keyId)
    .orderBy('last_seen', 'desc')
    .limit(20)
    .execute()
}

/** Deletes at most `limit` keys whose tenant or resource was deleted, and what is kept about their use. */
export async function deleteKeysOfDeletedParents(tx: Transaction, limit: number): Promise<number> {
  const db = tx.over<Tables & { tenants: DeletedParent; resources: DeletedParent }>()
  const rows = await db
    .selectFrom('api_keys')
    .select('id')
    .where(({ or, eb, selectFrom }) =>
      or([
        eb('tenant_id', 'in', selectFrom('tenants').select('tenants.id').where('deleted_at', 'is not', null)),
        eb(
          'resource_id',
          'in',
          selectFrom('resources').select('resources.id').where('deleted_at', 'is not', null),
        ),
      ]),
    )
    .orderBy('id')
    .limit(limit)
    .execute()
  if (rows.length === 0) return 0
  const ids = rows.map((row) => row.id)
  await db.deleteFrom('api_key_networks').where('key_id', 'in', ids).execute()
  await db.deleteFrom('api_keys').where('id', 'in', ids).execute()
  return ids.length
}

interface DeletedParent {
  id: string
  deleted_at: number | null
}

/** How many deployment operators could still manage operators, for longer than a rotation's overlap, without `except`. */
export async function countDeploymentOperators(
  tx: Transaction,
  tenantId: string,
  except: string,
  nowMs: number,
): Promise<number> {
  const rows = await tx
    .over<Tables>()
    .selectFrom('api_keys')
    .select('id')
    .where('resource_id', '=', MANAGEMENT_RESOURCE)
    .where('tenant_id', '=', tenantId)
    .where('id', '!=', except)
    .where('revoked_at', 'is', null)
    .where('disabled_at', 'is', null)
    .where('bound_resources', 'is', null)
    .where('rotated_to', 'is', null)
    .where(holdsScope('operators:write'))
    .where(({ or, eb }) => or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]))
    .limit(1)
    .execute()
  return rows.length
}

function filtered(
  db: Kysely<Tables>,
  filter: KeyFilter,
  nowMs: number,
  operators: boolean,
): SelectQueryBuilder<Tables, 'api_keys', object> {
  let query = db.selectFrom('api_keys').where('resource_id', operators ? '=' : '!=', MANAGEMENT_RESOURCE)
  if (filter.tenantId !== undefined) query = query.where('tenant_id', '=', filter.tenantId)
  if (filter.owner !== undefined) query = query.where('owner', '=', filter.owner)
  if (filter.resourceId !== undefined) query = query.where('resource_id', '=', filter.resourceId)
  if (filter.resourceIds !== undefined)
    query = query.where('resource_id', 'in', filter.resourceIds.length > 0 ? [...filter.resourceIds] : [''])
  if (filter.environment !== undefined) query = query.where('environment', '=', filter.environment)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.ids !== undefined)
    query = query.where('id', 'in', filter.ids.length > 0 ? [...filter.ids] : [''])
  if (filter.unrevoked) query = query.where('revoked_at', 'is', null)
  if (filter.notRotated) query = query.where('rotated_to', 'is', null)
  if (filter.scope !== undefined) query = query.where(holdsScope(filter.scope))
  if (filter.lastUsedBeforeMs !== undefined) {
    const before = filter.lastUsedBeforeMs
    query = query.where(({ or, eb }) => or([eb('last_used_at', '<', before), eb('last_used_at', 'is', null)]))
  }
  if (filter.expiringBeforeMs !== undefined) query = query.where('expires_at', '<', filter.expiringBeforeMs)
  if (filter.dueBeforeMs !== undefined) query = query.where(isDueBefore(filter.dueBeforeMs))
  if (filter.createdBeforeMs !== undefined) query = query.where('created_at', '<', filter.createdBeforeMs)
  return filter.status === undefined ? query : withStatus(query, filter.status, nowMs)
}

type KeyQuery = SelectQueryBuilder<Tables, 'api_keys', object>

/** The same order of precedence as `keyStatus`. */
function withStatus(query: KeyQuery, status: KeyStatus, nowMs: number): KeyQuery {
  if (status === 'revoked') return query.where('revoked_at', 'is not', null)
  const unrevoked = query.where('revoked_at', 'is', null)
  if (status === 'expired') return unrevoked.where('expires_at', '<=', nowMs)
  const current = unrevoked.where(({ or, eb }) =>
    or([eb('expires_at', 'is', null), eb('expires_at', '>', nowMs)]),
  )
  return current.where('disabled_at', status === 'disabled' ? 'is not' : 'is', null)
}

function isDueBefore(ms: number) {
  return sql<boolean>`created_at + (
    SELECT r.key_max_age_seconds FROM resources r WHERE r.id = api_keys.resource_id) * 1000 < ${ms}`
}

/** Scopes are a JSON array. Not LIKE, which on SQLite takes capitals for small letters. */
function holdsScope(scope: string) {
  return sql<boolean>`REPLACE(scopes, ${JSON.stringify(scope)}, '') <> scopes`
}
