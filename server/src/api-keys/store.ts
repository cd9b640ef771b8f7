/** The keys' table: writing, locking and finding single keys. Lists are in list-store.ts. */
import type { Environment } from '../kernel/index.ts'
import { forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'

export interface ApiKeyTable {
  id: string
  tenant_id: string
  resource_id: string
  owner: string
  name: string
  environment: string
  scopes: string
  prefix: string
  lookup: string | null
  last4: string | null
  hash: string
  pepper_version: number
  imported_algorithm: string | null
  ip_allow: string
  metadata: string
  bound_resources: string | null
  rsn: number
  created_at: number
  created_by: string
  not_before: number | null
  expires_at: number | null
  disabled_at: number | null
  revoked_at: number | null
  revoked_reason: string | null
  rotated_at: number | null
  rotated_to: string | null
  rotated_from: string | null
  last_used_at: number | null
  last_used_network: string | null
}

interface Tables {
  api_keys: ApiKeyTable
}

const LARGEST_INSERT = 250
const MOST_IMPORTED = 5_000

export async function insertKeys(tx: Transaction, keys: readonly ApiKey[]): Promise<void> {
  for (let at = 0; at < keys.length; at += LARGEST_INSERT)
    await tx
      .over<Tables>()
      .insertInto('api_keys')
      .values(keys.slice(at, at + LARGEST_INSERT).map(toRow))
      .execute()
}

/** Writes what may change after a key was made. */
export async function saveKey(tx: Transaction, key: ApiKey): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('api_keys')
    .set({
      name: key.name,
      scopes: JSON.stringify(key.scopes),
      ip_allow: JSON.stringify(key.ipAllow),
      metadata: JSON.stringify(key.metadata),
      expires_at: key.expiresAtMs,
      disabled_at: key.disabledAtMs,
      revoked_at: key.revokedAtMs,
      revoked_reason: key.revokedReason,
      rotated_at: key.rotatedAtMs,
      rotated_to: key.rotatedTo,
    })
    .where('id', '=', key.id)
    .execute()
}

/** A key, locked until COMMIT. */
export async function lockKey(tx: Transaction, id: string): Promise<ApiKey | undefined> {
  const query = tx.over<Tables>().selectFrom('api_keys').selectAll().where('id', '=', id)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && keyFromRow(row)
}

export async function findKeyById(storage: Storage, id: string): Promise<ApiKey | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('api_keys')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  return row && keyFromRow(row)
}

/** Keys of ours with one of these look-up parts, proven or not. */
export async function selectKeysByLookup(storage: Storage, lookups: readonly string[]): Promise<ApiKey[]> {
  if (lookups.length === 0) return []
  const rows = await storage
    .scan<Tables>()
    .selectFrom('api_keys')
    .selectAll()
    .where('lookup', 'in', lookups)
    .execute()
  return rows.map(keyFromRow)
}

/** Imported keys with one of these hashes, of all tenants and resources. */
export async function selectKeysByImportedHash(
  storage: Storage,
  hashes: readonly string[],
): Promise<ApiKey[]> {
  if (hashes.length === 0) return []
  const rows = await storage
    .scan<Tables>()
    .selectFrom('api_keys')
    .selectAll()
    .where('hash', 'in', hashes)
    .where('lookup', 'is', null)
    .limit(MOST_IMPORTED)
    .execute()
  return rows.map(keyFromRow)
}

/** Moves a key to another pepper, unless something else moved it first. */
export async function saveHash(
  tx: Transaction,
  id: string,
  from: number,
  to: { hash: string; pepperVersion: number },
): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('api_keys')
    .set({ hash: to.hash, pepper_version: to.pepperVersion })
    .where('id', '=', id)
    .where('pepper_version', '=', from)
    .execute()
}

/** Which of these hashes a resource's imported keys of one tenant already have. */
export async function existingHashes(
  tx: Transaction,
  tenantId: string,
  resourceId: string,
  hashes: readonly string[],
): Promise<Set<string>> {
  const found = new Set<string>()
  for (let at = 0; at < hashes.length; at += 5_000) {
    const rows = await tx
      .over<Tables>()
      .selectFrom('api_keys')
      .select('hash')
      .where('hash', 'in', hashes.slice(at, at + 5_000))
      .where('lookup', 'is', null)
      .where('tenant_id', '=', tenantId)
      .where('resource_id', '=', resourceId)
      .execute()
    for (const { hash } of rows) found.add(hash)
  }
  return found
}

function toRow(key: ApiKey): ApiKeyTable {
  return {
    id: key.id,
    tenant_id: key.tenantId,
    resource_id: key.resourceId,
    owner: key.owner,
    name: key.name,
    environment: key.environment,
    scopes: JSON.stringify(key.scopes),
    prefix: key.prefix,
    lookup: key.lookup,
    last4: key.last4,
    hash: key.hash,
    pepper_version: key.pepperVersion,
    imported_algorithm: key.importedAlgorithm,
    ip_allow: JSON.stringify(key.ipAllow),
    metadata: JSON.stringify(key.metadata),
    bound_resources: key.boundResources && JSON.stringify(key.boundResources),
    rsn: key.rsn,
    created_at: key.createdAtMs,
    created_by: key.createdBy,
    not_before: key.notBeforeMs,
    expires_at: key.expiresAtMs,
    disabled_at: key.disabledAtMs,
    revoked_at: key.revokedAtMs,
    revoked_reason: key.revokedReason,
    rotated_at: key.rotatedAtMs,
    rotated_to: key.rotatedTo,
    rotated_from: key.rotatedFrom,
    last_used_at: key.lastUsedAtMs,
    last_used_network: key.lastUsedNetwork,
  }
}

export function keyFromRow(row: ApiKeyTable): ApiKey {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    resourceId: row.resource_id,
    owner: row.owner,
    name: row.name,
    environment: row.environment as Environment,
    scopes: JSON.parse(row.scopes) as string[],
    prefix: row.prefix,
    lookup: row.lookup,
    last4: row.last4,
    hash: row.hash,
    pepperVersion: row.pepper_version,
    importedAlgorithm: row.imported_algorithm as ApiKey['importedAlgorithm'],
    ipAllow: JSON.parse(row.ip_allow) as string[],
    metadata: JSON.parse(row.metadata) as ApiKey['metadata'],
    boundResources: row.bound_resources === null ? null : (JSON.parse(row.bound_resources) as string[]),
    rsn: row.rsn,
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    notBeforeMs: row.not_before,
    expiresAtMs: row.expires_at,
    disabledAtMs: row.disabled_at,
    revokedAtMs: row.revoked_at,
    revokedReason: row.revoked_reason,
    rotatedAtMs: row.rotated_at,
    rotatedTo: row.rotated_to,
    rotatedFrom: row.rotated_from,
    lastUsedAtMs: row.last_used_at,
    lastUsedNetwork: row.last_used_network,
  }
}
