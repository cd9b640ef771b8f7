/**
 * Rotation with overlap: the new key works at once, the old one for a stated time longer. Nothing that works stops
 * working before its time.
 */
import { type Caller, MANAGEMENT_RESOURCE, notFound, PosternError } from '../kernel/index.ts'
import { lockResource, type Resource } from '../resources/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { ApiKey, IssuedKey } from './api-key.ts'
import { keyChange, lockReachedKey, requireUnrevoked } from './change-api-keys.ts'
import { makeKey } from './issue-api-key.ts'
import type { KeyContext } from './key-context.ts'
import { insertKeys, saveKey } from './store.ts'

export const DEFAULT_OVERLAP_SECONDS = 86_400
export const LONGEST_OVERLAP_SECONDS = 90 * 86_400

export interface RotateInput {
  /** How long the old key goes on; 0 ends it at once. It never outlives its own expiry. */
  readonly overlapSeconds?: number | undefined
  /** The new key's end; absent: as long again as the old one was given, or never if the old one never ended. */
  readonly expiresAtMs?: number | null | undefined
}

export interface Rotation {
  readonly issued: IssuedKey
  readonly old: ApiKey
}

/** Throws `conflict` for a key that is revoked, expired or already rotated: then its successor is what to rotate. */
export async function rotateApiKey(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  input: RotateInput,
): Promise<Rotation> {
  const { seq: rsn } = await readFeedHead(tx.over())
  const old = await lockReachedKey(tx, caller, id)
  const resource = await lockResource(tx, old.resourceId, 'share')
  if (!resource) throw notFound('API key')
  return rotateLocked(tx, context, caller, { old, resource, rsn }, input)
}

/** The same for a key that the caller has locked, after reading the position `rsn`. */
export async function rotateLocked(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  { old, resource, rsn }: { old: ApiKey; resource: Resource; rsn: number },
  input: RotateInput,
): Promise<Rotation> {
  const nowMs = context.changes.clock.nowMs()
  requireUnrevoked(old)
  if (old.expiresAtMs !== null && old.expiresAtMs <= nowMs)
    throw new PosternError('conflict', 'The key has expired. Issue a new one.')
  if (old.rotatedTo !== null)
    throw new PosternError('conflict', `The key was rotated already: rotate its successor ${old.rotatedTo}.`)

  const issued = makeKey(context, caller, resource, {
    tenantId: old.tenantId,
    resourceId: old.resourceId,
    owner: old.owner,
    name: old.name,
    scopes: old.scopes,
    environment: old.environment,
    ipAllow: old.ipAllow,
    metadata: old.metadata,
    boundResources: old.boundResources,
    expiresAtMs: input.expiresAtMs === undefined ? sameLifetimeAgain(old, nowMs) : input.expiresAtMs,
    rotatedFrom: old.id,
    rsn,
  })
  const endMs = nowMs + (input.overlapSeconds ?? DEFAULT_OVERLAP_SECONDS) * 1000
  const ending: ApiKey = {
    ...old,
    expiresAtMs: old.expiresAtMs === null ? endMs : Math.min(old.expiresAtMs, endMs),
    rotatedAtMs: nowMs,
    rotatedTo: issued.record.id,
  }
  const successor = { ...issued.record, disabledAtMs: old.disabledAtMs }
  await insertKeys(tx, [successor])
  await saveKey(tx, ending)
  await context.onRotated?.(tx, old.id, successor.id)
  context.changes.record(tx, caller, {
    ...keyChange(ending, old.resourceId === MANAGEMENT_RESOURCE ? 'operator.rotated' : 'api_key.rotated', {
      successor: successor.id,
      old_ends: new Date(ending.expiresAtMs as number).toISOString(),
      expires: successor.expiresAtMs === null ? 'never' : new Date(successor.expiresAtMs).toISOString(),
    }),
    feed: { kind: 'api_key', key: old.id, effect: 'changed' },
  })
  return { issued: { record: successor, key: issued.key }, old: ending }
}

function sameLifetimeAgain(old: ApiKey, nowMs: number): number | null {
  return old.expiresAtMs === null ? null : nowMs + (old.expiresAtMs - old.createdAtMs)
}
