/** Bulk work by filter: a dry run that says what it would touch, then batches in the order of ids. */
import { type Caller, invalid, PosternError } from '../kernel/index.ts'
import { lockResource, type Resource } from '../resources/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import { revokeLocked } from './change-api-keys.ts'
import type { KeyContext } from './key-context.ts'
import { countKeys, type KeyFilter, lockKeys, selectKeys } from './list-store.ts'
import { confined } from './read-api-keys.ts'
import { type RotateInput, rotateLocked, type Rotation } from './rotate-api-key.ts'

const REVOKE_BATCH = 500
export const ROTATE_BATCH = 100

export interface BulkPreview {
  readonly matched: number
  readonly byOwner: readonly { owner: string; count: number }[]
  readonly sample: readonly ApiKey[]
}

/** What a bulk revocation (of unrevoked keys) or rotation (of active keys without a successor) would touch. */
export async function previewBulk(
  storage: Storage,
  caller: Caller,
  filter: KeyFilter,
  nowMs: number,
): Promise<BulkPreview> {
  requireFilter(filter)
  const within = confined(caller, filter)
  const { matched, byOwner } = await countKeys(storage, within, nowMs)
  return { matched, byOwner, sample: await selectKeys(storage, within, { limit: 10, nowMs }) }
}

/** Throws `conflict` when the number found is not the one that was expected. */
export async function requireCount(
  storage: Storage,
  caller: Caller,
  filter: KeyFilter,
  expected: number | undefined,
  nowMs: number,
): Promise<void> {
  requireFilter(filter)
  if (expected === undefined) return
  const { matched } = await countKeys(storage, confined(caller, filter), nowMs)
  if (matched !== expected)
    throw new PosternError(
      'conflict',
      `The filter matches ${matched} keys, not ${expected}. Nothing was changed.`,
    )
}

/** Revokes everything that matches, batch by batch; answers how many. Safe to run again. */
export async function bulkRevoke(
  storage: Storage,
  context: KeyContext,
  caller: Caller,
  filter: KeyFilter,
  reason?: string,
): Promise<number> {
  requireFilter(filter)
  const within = confined(caller, filter)
  let after: string | undefined
  let revoked = 0
  for (;;) {
    const batch = await storage.write(async (tx) => {
      const keys = await lockKeys(tx, within, {
        after,
        limit: REVOKE_BATCH,
        nowMs: context.changes.clock.nowMs(),
      })
      for (const key of keys) await revokeLocked(tx, context, caller, key, reason)
      return keys
    })
    revoked += batch.filter((key) => key.revokedAtMs === null).length
    after = batch.at(-1)?.id
    if (batch.length < REVOKE_BATCH) return revoked
  }
}

/** Rotates one batch in `tx`, above `after`. The new keys are in the answer and nowhere else. */
export async function rotateBatch(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  filter: KeyFilter,
  after: string | undefined,
  input: RotateInput,
): Promise<Rotation[]> {
  const { seq: rsn } = await readFeedHead(tx.over())
  const nowMs = context.changes.clock.nowMs()
  const within = { ...confined(caller, filter), status: 'active' as const, notRotated: true }
  const keys = await lockKeys(tx, within, { after, limit: ROTATE_BATCH, nowMs })
  const resources = new Map<string, Resource>()
  for (const id of [...new Set(keys.map((key) => key.resourceId))].sort()) {
    const resource = await lockResource(tx, id, 'share')
    if (resource) resources.set(id, resource)
  }
  const rotations: Rotation[] = []
  for (const old of keys) {
    const resource = resources.get(old.resourceId)
    if (resource) rotations.push(await rotateLocked(tx, context, caller, { old, resource, rsn }, input))
  }
  return rotations
}

/** "All keys" must be meant: an empty filter is refused. */
export function requireFilter(filter: KeyFilter): void {
  if (Object.values(filter).every((value) => value === undefined))
    throw invalid('/filter', 'Name at least one member to filter by.')
}
