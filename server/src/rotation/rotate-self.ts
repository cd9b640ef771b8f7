/**
 * A key that replaces itself: its holder fetches the successor with the old one, and needs no operator. Only where the API
 * allows it, and bounded, since whoever stole a key could do it as well: not while the key is young, never after a report
 * that it leaked, and what it made of itself ends with it when such a report comes later.
 */
import { type KeyContext, lockKey, rotateLocked, type Rotation } from '../api-keys/index.ts'
import { type Caller, PosternError } from '../kernel/index.ts'
import { isReportedLeaked } from '../leaks/index.ts'
import { lockResource } from '../resources/index.ts'
import type { Transaction } from '../storage/index.ts'

/** A chain of successors cannot be spun faster than this. */
export const YOUNGEST_MS = 3_600_000
/** With less, an answer that was lost on the way would be a lost key. */
export const SHORTEST_OVERLAP_SECONDS = 300

/** `holder` was proven by the key itself, a moment ago; what has changed since counts. */
export async function rotateSelf(
  tx: Transaction,
  context: KeyContext,
  holder: { readonly keyId: string; readonly network: string },
  overlapSeconds: number | undefined,
): Promise<Rotation> {
  const { keyId: id, network } = holder
  const key = await lockKey(tx, id)
  const resource = key && (await lockResource(tx, key.resourceId, 'share'))
  if (!key || !resource || resource.selfRotation === 'off')
    throw new PosternError('forbidden', 'Keys of this API are replaced by its operators.')
  if (key.disabledAtMs !== null || (await isReportedLeaked(tx, id)))
    throw new PosternError(
      'forbidden',
      'This key may not replace itself any more: ask the operators of the API.',
    )
  const ageMs = context.changes.clock.nowMs() - key.createdAtMs
  // One that has a successor is told so, whatever its age.
  if (key.rotatedTo === null && ageMs < YOUNGEST_MS)
    throw new PosternError('conflict', 'The key is younger than an hour: there is no need to replace it yet.')
  const caller: Caller = {
    type: 'key',
    id,
    tenant: key.tenantId,
    resources: [key.resourceId],
    scopes: [],
    network,
  }
  // Its own position, never today's: whatever level ends the old one, while this goes on, ends the successor with it.
  const locked = { old: key, resource, rsn: key.rsn }
  return rotateLocked(tx, context, caller, locked, {
    overlapSeconds,
    ...(resource.selfRotation === 'same_end' && { expiresAtMs: key.expiresAtMs }),
  })
}
