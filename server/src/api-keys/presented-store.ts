/** The one read of a first sight: a key with its tenant, its resource and the highest floor above it. */
import { sql } from 'kysely'
import type { ResourceTable } from '../resources/index.ts'
import type { FloorTable } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { TenantTable } from '../tenants/index.ts'
import type { ApiKey } from './api-key.ts'
import { type ApiKeyTable, keyFromRow } from './store.ts'

interface Tables {
  api_keys: ApiKeyTable
  tenants: TenantTable
  resources: ResourceTable
  feed_floors: FloorTable
}

export interface PresentedRow {
  readonly key: ApiKey
  readonly resourceUri: string
  readonly resourceScopes: string
  readonly allowBrowserKeys: boolean
  readonly cacheSeconds: number
  readonly tenantDisabled: boolean
  readonly parentDeleted: boolean
  readonly floor: number
}

export async function selectByLookup(storage: Storage, lookup: string): Promise<PresentedRow | undefined> {
  const row = await presentable(storage).where('k.lookup', '=', lookup).executeTakeFirst()
  return row && fromJoin(row)
}

/** At most two: one is an answer, two are an ambiguity. */
export async function selectByImportedHash(
  storage: Storage,
  hashes: readonly string[],
  resourceUri: string,
  tenant: string | undefined,
): Promise<PresentedRow[]> {
  let query = presentable(storage)
    .where('k.hash', 'in', hashes)
    .where('k.lookup', 'is', null)
    .where('r.uri', '=', resourceUri)
    .where('r.deleted_at', 'is', null)
    .limit(2)
  if (tenant !== undefined) query = query.where('k.tenant_id', '=', tenant)
  return (await query.execute()).map(fromJoin)
}

function presentable(storage: Storage) {
  return storage
    .read<Tables>()
    .selectFrom('api_keys as k')
    .innerJoin('tenants as t', 't.id', 'k.tenant_id')
    .innerJoin('resources as r', 'r.id', 'k.resource_id')
    .selectAll('k')
    .select([
      'r.uri as r_uri',
      'r.scopes as r_scopes',
      'r.allow_browser_keys as r_browser',
      'r.cache_seconds as r_cache',
      'r.deleted_at as r_deleted',
      't.disabled_at as t_disabled',
      't.deleted_at as t_deleted',
      FLOOR.as('floor'),
    ])
}

/** Both spellings of a subject are asked for: see `subjectKey`. */
const FLOOR = sql<number | null>`(
  SELECT MAX(f.seq) FROM feed_floors f WHERE
    (f.kind = 'tenant' AND f.key = k.tenant_id) OR (f.kind = 'resource' AND f.key = k.resource_id) OR
    (f.kind = 'subject' AND (f.key = k.tenant_id || '/' || k.owner OR f.key = k.owner)))`

type Joined = NonNullable<Awaited<ReturnType<ReturnType<typeof presentable>['executeTakeFirst']>>>

function fromJoin(row: Joined): PresentedRow {
  return {
    key: keyFromRow(row),
    resourceUri: row.r_uri,
    resourceScopes: row.r_scopes,
    allowBrowserKeys: row.r_browser === 1,
    cacheSeconds: row.r_cache,
    tenantDisabled: row.t_disabled !== null,
    parentDeleted: row.t_deleted !== null || row.r_deleted !== null,
    floor: row.floor ?? 0,
  }
}
