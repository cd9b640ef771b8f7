/** The resources' table. */
import type { Kysely } from 'kysely'
import { MANAGEMENT_RESOURCE } from '../kernel/index.ts'
import {
  forShare,
  forUpdate,
  ParsedRows,
  preparedRead,
  type Storage,
  type Transaction,
} from '../storage/index.ts'
import type { Resource } from './resource.ts'

export interface ResourceTable {
  id: string
  uri: string
  name: string
  scopes: string
  key_prefix: string
  key_lifetime_seconds: number | null
  token_lifetime_seconds: number
  token_algorithm: string
  access_token_format: string
  allow_browser_keys: number
  scopes_by_role: number
  cache_seconds: number
  leak_policy: string
  leak_notice_seconds: number
  key_max_age_seconds: number | null
  rotation_notice_seconds: number
  self_rotation: string
  created_at: number
  updated_at: number
  deleted_at: number | null
}

interface Tables {
  resources: ResourceTable
}

export async function insertResource(tx: Transaction, resource: Resource): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('resources')
    .values({ ...toRow(resource), created_at: resource.createdAtMs, deleted_at: null })
    .execute()
}

export async function saveResource(tx: Transaction, resource: Resource): Promise<void> {
  const { id, ...rest } = toRow(resource)
  await tx.over<Tables>().updateTable('resources').set(rest).where('id', '=', id).execute()
}

export async function markResourceDeleted(tx: Transaction, id: string, nowMs: number): Promise<void> {
  await tx.over<Tables>().updateTable('resources').set({ deleted_at: nowMs }).where('id', '=', id).execute()
}

/** A living resource, kept as it is (`share`) or for changing (`update`) until COMMIT. */
export async function lockResource(
  tx: Transaction,
  id: string,
  how: 'share' | 'update',
): Promise<Resource | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('resources')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
  const row = await (how === 'share' ? forShare(tx, query) : forUpdate(tx, query)).executeTakeFirst()
  return row && resourceFromRow(row)
}

/** A living resource by its id or its URI. */
export async function findResource(storage: Storage, idOrUri: string): Promise<Resource | undefined> {
  const row = await (idOrUri.startsWith('res_') ? selectById : selectByUri)(storage.read(), idOrUri)
  return row && parsed.of(row)
}

const [selectById, selectByUri] = (['id', 'uri'] as const).map((column) =>
  preparedRead([''], (db: Kysely<Tables>, idOrUri: string) =>
    db.selectFrom('resources').selectAll().where(column, '=', idOrUri).where('deleted_at', 'is', null),
  ),
) as [PreparedByName, PreparedByName]
type PreparedByName = (db: ReturnType<Storage['read']>, name: string) => Promise<ResourceTable | undefined>

/** Each request asks the database for the row; what it means is worked out again only when it is another one. */
const parsed = new ParsedRows(resourceFromRow)

/** At most some hundreds of ids: resources are few. */
export async function selectUris(
  storage: Storage,
  ids: readonly string[],
): Promise<{ id: string; uri: string }[]> {
  return storage.read<Tables>().selectFrom('resources').select(['id', 'uri']).where('id', 'in', ids).execute()
}

/** Living resources in the order of their ids, above `after`; `among` confines to some. */
export async function selectResources(
  storage: Storage,
  among: readonly string[] | null,
  after: string | undefined,
  limit: number,
): Promise<Resource[]> {
  let query = storage
    .scan<Tables>()
    .selectFrom('resources')
    .selectAll()
    .where('deleted_at', 'is', null)
    .where('id', '!=', MANAGEMENT_RESOURCE)
    .orderBy('id')
    .limit(limit)
  if (among !== null) query = query.where('id', 'in', among.length > 0 ? [...among] : [''])
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(resourceFromRow)
}

export function resourceFromRow(row: ResourceTable): Resource {
  return {
    id: row.id,
    uri: row.uri,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Resource['scopes'],
    keyPrefix: row.key_prefix,
    keyLifetimeSeconds: row.key_lifetime_seconds,
    tokenLifetimeSeconds: row.token_lifetime_seconds,
    tokenAlgorithm: row.token_algorithm as Resource['tokenAlgorithm'],
    accessTokenFormat: row.access_token_format as Resource['accessTokenFormat'],
    allowBrowserKeys: row.allow_browser_keys === 1,
    scopesByRole: row.scopes_by_role === 1,
    cacheSeconds: row.cache_seconds,
    leakPolicy: row.leak_policy as Resource['leakPolicy'],
    leakNoticeSeconds: row.leak_notice_seconds,
    keyMaxAgeSeconds: row.key_max_age_seconds,
    rotationNoticeSeconds: row.rotation_notice_seconds,
    selfRotation: row.self_rotation as Resource['selfRotation'],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}

function toRow(resource: Resource): Omit<ResourceTable, 'created_at' | 'deleted_at'> {
  return {
    id: resource.id,
    uri: resource.uri,
    name: resource.name,
    scopes: JSON.stringify(resource.scopes),
    key_prefix: resource.keyPrefix,
    key_lifetime_seconds: resource.keyLifetimeSeconds,
    token_lifetime_seconds: resource.tokenLifetimeSeconds,
    token_algorithm: resource.tokenAlgorithm,
    access_token_format: resource.accessTokenFormat,
    allow_browser_keys: resource.allowBrowserKeys ? 1 : 0,
    scopes_by_role: resource.scopesByRole ? 1 : 0,
    cache_seconds: resource.cacheSeconds,
    leak_policy: resource.leakPolicy,
    leak_notice_seconds: resource.leakNoticeSeconds,
    key_max_age_seconds: resource.keyMaxAgeSeconds,
    rotation_notice_seconds: resource.rotationNoticeSeconds,
    self_rotation: resource.selfRotation,
    updated_at: resource.updatedAtMs,
  }
}
