/**
 * What a leak leads to, for one key and one place, by the policy of the key's resource. The key ends through the same
 * operations as ever, so that the feed carries it to every verifier. The same report again does nothing more.
 */
import { createHash } from 'node:crypto'
import {
  type ApiKey,
  type KeyContext,
  keyStatus,
  lockKey,
  reaches,
  revokeApiKey,
  revokeOperator,
  setApiKeyDisabled,
  updateApiKey,
} from '../api-keys/index.ts'
import { type Caller, DEPLOYMENT_TENANT, MANAGEMENT_RESOURCE, newId, PosternError } from '../kernel/index.ts'
import { lockResource, type Resource } from '../resources/index.ts'
import type { Transaction } from '../storage/index.ts'
import { type Leak, type LeakAction, MOST_PLACES, type ReporterKind, type Sighting } from './leak.ts'
import { insertLeak, selectPlaces } from './store.ts'

export interface Report {
  readonly reporter: ReporterKind
  /** Reaches everything for a scanner, and as far as an operator for theirs. */
  readonly caller: Caller
}

export interface Handled {
  readonly key: ApiKey
  readonly action: LeakAction
  /** The same key in the same place, told before. */
  readonly known: boolean
}

/** Undefined for a key that is gone, or that the caller does not reach. */
export async function actOnLeak(
  tx: Transaction,
  context: KeyContext,
  { reporter, caller }: Report,
  keyId: string,
  sighting: Omit<Sighting, 'token'>,
): Promise<Handled | undefined> {
  const key = await lockKey(tx, keyId)
  if (!key || !mayReport(caller, key)) return undefined
  const resource = await lockResource(tx, key.resourceId, 'share')
  if (!resource) return undefined
  const placeHash = createHash('sha256').update(sighting.url).digest('base64url')
  const places = await selectPlaces(tx, key.id, MOST_PLACES)
  if (places.length >= MOST_PLACES || places.some((place) => place.placeHash === placeHash))
    return { key, action: 'none', known: true }

  const { clock } = context.changes
  const reason = `found in public${sighting.url === '' ? '' : `: ${sighting.url}`}`.slice(0, 500)
  const action = await applyPolicy(tx, context, caller, { key, resource, reason })
  const leak: Leak = {
    id: newId('lea', clock),
    atMs: clock.nowMs(),
    tenantId: key.tenantId,
    resourceId: key.resourceId,
    keyId: key.id,
    reporter,
    reportedBy: caller.id,
    type: sighting.type,
    source: sighting.source,
    url: sighting.url,
    action,
  }
  await insertLeak(tx, leak, placeHash)
  context.changes.record(tx, caller, {
    action: 'api_key.leaked',
    tenant: key.tenantId === DEPLOYMENT_TENANT ? null : key.tenantId,
    target: { type: key.resourceId === MANAGEMENT_RESOURCE ? 'operator' : 'api_key', id: key.id },
    data: {
      leak: leak.id,
      owner: key.owner,
      resource: resource.uri,
      reporter,
      source: sighting.source,
      url: sighting.url,
      type: sighting.type,
      action,
    },
    feed: null,
  })
  return { key: (await lockKey(tx, keyId)) as ApiKey, action, known: false }
}

/** Operators' keys have a scope of their own, here as everywhere. */
export function mayReport(caller: Caller, key: ApiKey): boolean {
  if (!reaches(caller, key)) return false
  return key.resourceId !== MANAGEMENT_RESOURCE || caller.scopes.includes('operators:write')
}

interface Exposed {
  readonly key: ApiKey
  readonly resource: Resource
  readonly reason: string
}

async function applyPolicy(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  { key, resource, reason }: Exposed,
): Promise<LeakAction> {
  const nowMs = context.changes.clock.nowMs()
  const status = keyStatus(key, nowMs)
  const ended = status === 'revoked' || status === 'expired'
  if (key.resourceId === MANAGEMENT_RESOURCE)
    return ended ? 'none' : revokeUnlessLast(tx, context, caller, key, reason)
  // Its successors may be in other hands, whatever has become of itself.
  await endSelfMade(tx, context, caller, key, resource, reason)
  if (ended) return 'none'
  switch (resource.leakPolicy) {
    case 'revoke':
      await revokeApiKey(tx, context, caller, key.id, reason)
      return 'revoked'
    case 'disable':
      await setApiKeyDisabled(tx, context, caller, key.id, true)
      return 'disabled'
    case 'rotate': {
      const endMs = nowMs + resource.leakNoticeSeconds * 1000
      if (key.expiresAtMs === null || key.expiresAtMs > endMs)
        await updateApiKey(tx, context, caller, key.id, { expiresAtMs: endMs })
      return 'ends'
    }
    case 'tell':
      return 'told'
  }
}

/** The last deployment operator stays, and its leak is told: without it nobody could mend anything. */
async function revokeUnlessLast(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  key: ApiKey,
  reason: string,
): Promise<LeakAction> {
  try {
    await revokeOperator(tx, context, caller, key.id, reason)
    return 'revoked'
  } catch (error) {
    if (error instanceof PosternError && (error.code === 'last_operator' || error.code === 'forbidden'))
      return 'told'
    throw error
  }
}

const LONGEST_CHAIN = 100

/**
 * Whoever held a leaked key could have it make its own successor, and would hold one that nobody found in public. So
 * what a key made of itself goes the way of the key, except that it gets no notice.
 */
async function endSelfMade(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  key: ApiKey,
  { leakPolicy }: Resource,
  reason: string,
): Promise<void> {
  if (leakPolicy === 'tell') return
  let at = key
  for (let steps = 0; at.rotatedTo !== null && steps < LONGEST_CHAIN; steps++) {
    const successor = await lockKey(tx, at.rotatedTo)
    if (!successor || successor.createdBy !== at.id) return
    if (successor.revokedAtMs === null) {
      if (leakPolicy === 'disable') await setApiKeyDisabled(tx, context, caller, successor.id, true)
      else await revokeApiKey(tx, context, caller, successor.id, reason)
    }
    at = successor
  }
}
