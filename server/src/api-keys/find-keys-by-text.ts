/**
 * The keys that stand in texts found somewhere, many at once. Each is proven by its hash like a presented one: a text
 * that merely names a key's look-up part finds nothing. Whether a key is still good is not asked.
 */
import { createHash } from 'node:crypto'
import type { Storage } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import { parseKey } from './key-format.ts'
import type { Peppers } from './peppers.ts'
import { selectKeysByImportedHash, selectKeysByLookup } from './store.ts'

const LONGEST_TEXT = 8_192

/** At most some hundreds of texts. An imported key may be several tenants': all of them are found. */
export async function findKeysByText(
  storage: Storage,
  peppers: Peppers,
  texts: readonly string[],
): Promise<Map<string, ApiKey[]>> {
  // Another node may have rotated the pepper: what is hashed with it would be missed without a word.
  await peppers.refresh(storage)
  const found = new Map<string, ApiKey[]>()
  const byLookup = new Map<string, string[]>()
  const byHash = new Map<string, string>()
  for (const text of new Set(texts)) {
    if (text.length > LONGEST_TEXT) continue
    const parsed = parseKey(text)
    if (parsed) byLookup.set(parsed.lookup, [...(byLookup.get(parsed.lookup) ?? []), text])
    else {
      const digest = createHash('sha256').update(text).digest('base64url')
      for (const { hash } of peppers.allHashes(digest)) byHash.set(hash, text)
    }
  }
  const add = (text: string, key: ApiKey): void => void found.set(text, [...(found.get(text) ?? []), key])
  for (const key of await selectKeysByLookup(storage, [...byLookup.keys()]))
    for (const text of byLookup.get(key.lookup as string) ?? [])
      if (peppers.matches(text, key)) add(text, key)
  for (const key of await selectKeysByImportedHash(storage, [...byHash.keys()]))
    add(byHash.get(key.hash) as string, key)
  return found
}
