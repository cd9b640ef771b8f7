/**
 * From the text that a caller presented to everything that judging it needs, in one database read. What is not found
 * and what does not match cost the same work and answer the same.
 */
import { createHash } from 'node:crypto'
import { parseCidrs, type CidrList } from '../kernel/index.ts'
import type { ResourceScope } from '../resources/index.ts'
import { feedRef, subjectKey } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import { parseKey } from './key-format.ts'
import type { Peppers } from './peppers.ts'
import { type PresentedRow, selectByImportedHash, selectByLookup } from './presented-store.ts'

/** A key whose secret was proven, with what its tenant, resource and floors say. Immutable: a change replaces it. */
export interface PresentedKey {
  readonly key: ApiKey
  readonly resourceUri: string
  /** The scopes that count: the key's own, as far as its resource still has them. */
  readonly scopes: readonly string[]
  readonly allowBrowserKeys: boolean
  readonly cacheSeconds: number
  readonly ipAllow: CidrList
  readonly tenantDisabled: boolean
  /** Its tenant or resource was deleted, or one of its levels was raised above it. */
  readonly dead: boolean
  /** Rows of the feed with one of these touch it. */
  readonly refs: readonly string[]
  /** Set when it should move to the current pepper after the reply. */
  readonly rehash?: { readonly hash: string; readonly pepperVersion: number }
}

/**
 * The key that `text` proves, or undefined. `resourceUri` is needed for imported keys, which are unique only within a
 * resource and tenant; when several tenants imported the same one and none was named, it is nobody's.
 */
export async function findPresentedKey(
  storage: Storage,
  peppers: Peppers,
  text: string,
  resourceUri: string | undefined,
  tenant?: string,
): Promise<PresentedKey | undefined> {
  const parsed = parseKey(text)
  if (parsed) {
    const row = await selectByLookup(storage, parsed.lookup)
    if (row && !peppers.has(row.key.pepperVersion)) await peppers.load(storage)
    // An unknown look-up is compared too, with a hash that nothing has.
    const matches = peppers.matches(text, row ? row.key : NOBODY)
    return row && matches ? present(row, text, peppers) : undefined
  }
  if (resourceUri === undefined) return undefined
  const digest = createHash('sha256').update(text).digest('base64url')
  const find = (): Promise<PresentedRow[]> => {
    const hashes = peppers.allHashes(digest).map(({ hash }) => hash)
    return selectByImportedHash(storage, hashes, resourceUri, tenant)
  }
  let rows = await find()
  // Another node may have moved the key to a pepper that this one has not read yet.
  if (rows.length === 0 && (await peppers.refresh(storage))) rows = await find()
  return rows.length === 1 ? present(rows[0] as PresentedRow, digest, peppers) : undefined
}

const NOBODY = { hash: '-'.repeat(43), pepperVersion: 1 }

function present(row: PresentedRow, hashed: string, peppers: Peppers): PresentedKey {
  const { key } = row
  const known = new Set((JSON.parse(row.resourceScopes) as ResourceScope[]).map((scope) => scope.name))
  return {
    key,
    resourceUri: row.resourceUri,
    scopes: key.scopes.filter((scope) => known.has(scope)),
    allowBrowserKeys: row.allowBrowserKeys,
    cacheSeconds: row.cacheSeconds,
    ipAllow: parseCidrs(key.ipAllow),
    tenantDisabled: row.tenantDisabled,
    dead: row.parentDeleted || row.floor > key.rsn,
    refs: [
      feedRef('api_key', key.id),
      feedRef('tenant', key.tenantId),
      feedRef('resource', key.resourceId),
      feedRef('subject', subjectKey(key.tenantId, key.owner)),
    ],
    ...(key.pepperVersion === peppers.current ? {} : { rehash: peppers.hash(hashed) }),
  }
}
