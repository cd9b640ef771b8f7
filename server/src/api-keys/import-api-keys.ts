/** Imports keys that were issued and hashed elsewhere: their holders notice nothing. */
import {
  type Caller,
  type Environment,
  invalid,
  MANAGEMENT_RESOURCE,
  newId,
  notFound,
  PosternError,
} from '../kernel/index.ts'
import { MANAGEMENT_PREFIX } from '../resources/index.ts'
import { RetryableConflict, type Transaction, UniqueViolation } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import { BLANK, openParents } from './issue-api-key.ts'
import type { KeyContext } from './key-context.ts'
import {
  checkAddresses,
  checkMetadata,
  checkOwner,
  checkScopes,
  type Expiry,
  resolveExpiry,
} from './key-rules.ts'
import { existingHashes, insertKeys } from './store.ts'

export const MOST_IMPORTED_AT_ONCE = 1_000

export interface ImportedKey extends Expiry {
  /** SHA-256 of the whole key's UTF-8 text. */
  readonly digest: string
  readonly encoding: 'hex' | 'base64'
  /** What the foreign keys start with, as declared; for people and for secret scanners. */
  readonly prefix: string
  readonly last4?: string | undefined
  readonly owner: string
  readonly name?: string | undefined
  readonly scopes: readonly string[]
  readonly environment?: Environment | undefined
  readonly ipAllow?: readonly string[] | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export interface ImportResult {
  readonly imported: number
  /** Already there. */
  readonly skipped: number
  readonly errors: readonly { index: number; detail: string }[]
}

/**
 * At most 1,000 keys of one tenant and resource, in one transaction and one audit event. Faulty members are reported
 * by their index and leave the others alone. Not checked: that the keys behind the digests were drawn at random. A
 * digest of a password could be guessed, so the caller has to state that they were.
 */
export async function importApiKeys(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  where: { tenantId: string; resourceId: string },
  keys: readonly ImportedKey[],
): Promise<ImportResult> {
  if (keys.length > MOST_IMPORTED_AT_ONCE)
    throw invalid('/keys', `At most ${MOST_IMPORTED_AT_ONCE} keys at once.`)
  if (where.resourceId === MANAGEMENT_RESOURCE) throw notFound('resource')
  const { rsn, resource } = await openParents(tx, caller, where)
  const { clock } = context.changes
  const nowMs = clock.nowMs()
  const errors: { index: number; detail: string }[] = []
  const candidates: { record: ApiKey; hashes: string[] }[] = []

  for (const [index, key] of keys.entries()) {
    try {
      const digest = normalDigest(key)
      checkOwner(key.owner)
      checkScopes(key.scopes, resource)
      checkAddresses(key.ipAllow ?? [])
      checkMetadata(key.metadata ?? {})
      if (key.prefix === MANAGEMENT_PREFIX)
        throw invalid('/prefix', 'That prefix is kept for the management API.')
      const record: ApiKey = {
        ...BLANK,
        id: newId('key', clock),
        tenantId: where.tenantId,
        resourceId: where.resourceId,
        owner: key.owner,
        name: key.name ?? 'imported',
        environment: key.environment ?? 'live',
        scopes: [...new Set(key.scopes)],
        prefix: key.prefix,
        lookup: null,
        last4: key.last4 ?? null,
        ...context.peppers.hash(digest),
        importedAlgorithm: 'sha256',
        ipAllow: key.ipAllow ?? [],
        metadata: key.metadata ?? {},
        boundResources: null,
        rsn,
        createdAtMs: nowMs,
        createdBy: caller.id,
        notBeforeMs: null,
        expiresAtMs: resolveExpiry(key, resource, clock),
      }
      candidates.push({ record, hashes: context.peppers.allHashes(digest).map(({ hash }) => hash) })
    } catch (error) {
      if (!(error instanceof PosternError)) throw error
      errors.push({ index, detail: error.message })
    }
  }

  const known = await existingHashes(
    tx,
    where.tenantId,
    where.resourceId,
    candidates.flatMap(({ hashes }) => hashes),
  )
  const fresh: ApiKey[] = []
  for (const { record, hashes } of candidates) {
    if (hashes.some((hash) => known.has(hash))) continue
    known.add(record.hash)
    fresh.push(record)
  }
  await insertOnce(tx, fresh)
  if (fresh.length > 0)
    context.changes.record(tx, caller, {
      action: 'api_key.imported',
      tenant: where.tenantId,
      target: { type: 'resource', id: where.resourceId },
      data: { count: fresh.length, first: fresh[0]?.id, last: fresh.at(-1)?.id },
      feed: null,
    })
  return { imported: fresh.length, skipped: candidates.length - fresh.length, errors }
}

/** Another node may be importing the same keys: then this runs again, and finds them there. */
async function insertOnce(tx: Transaction, keys: readonly ApiKey[]): Promise<void> {
  try {
    await insertKeys(tx, keys)
  } catch (error) {
    if (error instanceof UniqueViolation) throw new RetryableConflict(error.message)
    throw error
  }
}

/** The 32 bytes of a SHA-256 digest, base64url: one spelling whatever it came in. */
function normalDigest({ digest, encoding }: ImportedKey): string {
  const form = encoding === 'hex' ? /^[0-9a-f]{64}$/i : /^[A-Za-z0-9+/_-]{43}=?$/
  const bytes = form.test(digest) ? Buffer.from(digest, encoding) : Buffer.alloc(0)
  if (bytes.length !== 32) throw invalid('/digest', `The digest is not 32 bytes of ${encoding}.`)
  return bytes.toString('base64url')
}
