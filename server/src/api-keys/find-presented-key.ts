/**
 * From the text that a caller presented to everything that judging it needs, in one database read. What is not found
 * and what does not match cost the same work and answer the same.
 */
import { createHash } from 'node:crypto'
import { parseCidrs, type Presented } from '../kernel/index.ts'
import type { ResourceScope } from '../resources/index.ts'
import { feedRef, subjectKey } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { parseKey } from './key-format.ts'
import type { PepperedHash, Peppers } from './peppers.ts'
import { type PresentedRow, selectByImportedHash, selectByLookup } from './presented-store.ts'

/** A key whose secret was proven. A change replaces it. */
export interface PresentedKey extends Presented {
  /** Management keys only: the resource ids they may act on; null: all. */
  readonly boundResources: readonly string[] | null
  /** Set when its hash should move to the current pepper after the reply. */
  readonly rehash?: { readonly from: number; readonly to: PepperedHash }
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
    principal: {
      sub: key.owner,
      subType: 'external',
      tenant: key.tenantId,
      resource: row.resourceUri,
      // The scopes that count: the key's own, as far as its resource still has them.
      scopes: key.scopes.filter((scope) => known.has(scope)),
      roles: [],
      credential: { type: 'api_key', id: key.id, environment: key.environment },
      ...(key.expiresAtMs !== null && { expiresAtMs: key.expiresAtMs }),
      ...(Object.keys(key.metadata).length > 0 && { metadata: key.metadata }),
    },
    resourceId: key.resourceId,
    revoked: key.revokedAtMs !== null || row.parentDeleted || row.floor > key.rsn,
    disabled: key.disabledAtMs !== null || row.tenantDisabled,
    notBeforeMs: key.notBeforeMs,
    expiresAtMs: key.expiresAtMs,
    ipAllow: parseCidrs(key.ipAllow),
    ipAllowText: key.ipAllow,
    // A test key has nothing to steal.
    allowBrowser: row.allowBrowserKeys || key.environment === 'test',
    cacheSeconds: row.cacheSeconds,
    refs: [
      feedRef('api_key', key.id),
      feedRef('tenant', key.tenantId),
      feedRef('resource', key.resourceId),
      feedRef('subject', subjectKey(key.tenantId, key.owner)),
    ],
    boundResources: key.boundResources,
    ...(key.pepperVersion !== peppers.current && {
      rehash: { from: key.pepperVersion, to: peppers.hash(hashed) },
    }),
  }
}
