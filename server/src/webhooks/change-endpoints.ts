/** Registering, changing and deleting endpoints, and their secrets. */
import { type Caller, invalid, newId, notFound, PosternError, reachesTenant } from '../kernel/index.ts'
import type { Changes, StateChange } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import { checkUrl, type FetchGuard, FetchRefused } from '../tokens/index.ts'
import { currentSecrets, type Endpoint, MOST_ENDPOINTS, MOST_SECRETS } from './endpoint.ts'
import type { SecretSealer } from './endpoint-secrets.ts'
import type { EventType } from './event-types.ts'
import type { WebhookOutbox } from './outbox.ts'
import {
  countEndpoints,
  deleteEndpoint,
  insertEndpoint,
  lockEndpoint,
  requeue,
  type ReplayFilter,
  saveEndpoint,
} from './store.ts'

export interface WebhookContext {
  readonly changes: Changes
  readonly sealer: SecretSealer
  readonly outbox: WebhookOutbox
  readonly guard: FetchGuard
}

export interface EndpointInput {
  /** Its host unless told. */
  readonly name: string | undefined
  readonly url: string
  readonly events: readonly EventType[] | null
  /** Null: the whole deployment's. */
  readonly tenantId: string | null
}

export interface WithSecret {
  readonly endpoint: Endpoint
  /** Shown once. */
  readonly secret: string
}

export const DEFAULT_OVERLAP_SECONDS = 86_400
export const LONGEST_OVERLAP_SECONDS = 30 * 86_400
/** At most so many messages go out again at once. */
export const MOST_REPLAYED = 10_000

export async function createEndpoint(
  tx: Transaction,
  { changes, sealer, guard }: WebhookContext,
  caller: Caller,
  { name, url, events, tenantId }: EndpointInput,
): Promise<WithSecret> {
  requireUnconfined(caller)
  checkTarget(url, guardOf(guard, tenantId))
  if (tenantId === null && caller.tenant !== null) throw notFound('tenant')
  if (tenantId !== null && !(reachesTenant(caller, tenantId) && (await lockTenant(tx, tenantId, 'share'))))
    throw notFound('tenant')
  if ((await countEndpoints(tx, tenantId)) >= MOST_ENDPOINTS)
    throw new PosternError('conflict', `There are ${MOST_ENDPOINTS} endpoints already; delete one first.`)
  const nowMs = changes.clock.nowMs()
  const { secret, text } = sealer.make(changes.clock)
  const endpoint: Endpoint = {
    id: newId('whk', changes.clock),
    tenantId,
    name: name ?? new URL(url).hostname,
    url,
    events,
    secrets: [secret],
    createdAtMs: nowMs,
    createdBy: caller.id,
    updatedAtMs: nowMs,
    disabledAtMs: null,
    disabledReason: null,
    failingSinceMs: null,
    dropped: 0,
  }
  await insertEndpoint(tx, endpoint)
  changes.record(tx, caller, { ...about(endpoint, 'webhook.created'), feed: null })
  return { endpoint, secret: text }
}

export interface EndpointPatch {
  readonly name?: string | undefined
  readonly url?: string | undefined
  readonly events?: readonly EventType[] | null | undefined
  /** Enabling forgets the failures; what waits goes out. */
  readonly disabled?: boolean | undefined
}

export async function updateEndpoint(
  tx: Transaction,
  { changes, guard }: WebhookContext,
  caller: Caller,
  id: string,
  patch: EndpointPatch,
): Promise<Endpoint> {
  const before = await lockReached(tx, caller, id)
  if (patch.url !== undefined) checkTarget(patch.url, guardOf(guard, before.tenantId))
  const nowMs = changes.clock.nowMs()
  const endpoint: Endpoint = {
    ...before,
    name: patch.name ?? before.name,
    url: patch.url ?? before.url,
    events: patch.events === undefined ? before.events : patch.events,
    updatedAtMs: nowMs,
    ...(patch.disabled === true && {
      disabledAtMs: before.disabledAtMs ?? nowMs,
      disabledReason: before.disabledReason ?? 'by an operator',
    }),
    ...(patch.disabled === false && { disabledAtMs: null, disabledReason: null, failingSinceMs: null }),
  }
  await saveEndpoint(tx, endpoint)
  const changed = Object.keys(patch).filter((name) => patch[name as keyof EndpointPatch] !== undefined)
  changes.record(tx, caller, {
    ...about(endpoint, 'webhook.updated'),
    data: { url: endpoint.url, changed },
    feed: null,
  })
  return endpoint
}

/** What waits for it is forgotten. */
export async function removeEndpoint(
  tx: Transaction,
  { changes }: WebhookContext,
  caller: Caller,
  id: string,
): Promise<void> {
  const endpoint = await lockReached(tx, caller, id)
  await deleteEndpoint(tx, id)
  changes.record(tx, caller, { ...about(endpoint, 'webhook.deleted'), feed: null })
}

/** A new secret signs at once, beside the others, which sign for the overlap longer. */
export async function rotateEndpointSecret(
  tx: Transaction,
  { changes, sealer }: WebhookContext,
  caller: Caller,
  id: string,
  overlapSeconds: number = DEFAULT_OVERLAP_SECONDS,
): Promise<WithSecret> {
  const before = await lockReached(tx, caller, id)
  const nowMs = changes.clock.nowMs()
  const endMs = nowMs + overlapSeconds * 1000
  const others = currentSecrets(before, nowMs)
    .map((secret) => ({ ...secret, expiresAtMs: Math.min(secret.expiresAtMs ?? Infinity, endMs) }))
    .filter(({ expiresAtMs }) => expiresAtMs > nowMs)
  if (others.length >= MOST_SECRETS)
    throw new PosternError('conflict', `${MOST_SECRETS} secrets are good already; wait until one has ended.`)
  const { secret, text } = sealer.make(changes.clock)
  const endpoint = { ...before, secrets: [...others, secret], updatedAtMs: nowMs }
  await saveEndpoint(tx, endpoint)
  changes.record(tx, caller, {
    ...about(endpoint, 'webhook.secret_rotated'),
    data: { secret: secret.id, overlap_seconds: overlapSeconds },
    feed: null,
  })
  return { endpoint, secret: text }
}

/** Queues a message for this endpoint alone, whatever it asked to be told. */
export async function testEndpoint(
  tx: Transaction,
  { changes, outbox }: WebhookContext,
  caller: Caller,
  id: string,
): Promise<string> {
  const endpoint = await lockReached(tx, caller, id)
  if (endpoint.disabledAtMs !== null) throw new PosternError('conflict', 'The endpoint is disabled.')
  const eventId = newId('evt', changes.clock)
  outbox.tell(tx, {
    id: eventId,
    type: 'webhook.test',
    atMs: changes.clock.nowMs(),
    tenant: endpoint.tenantId,
    data: { webhook: id },
    onlyFor: id,
  })
  return eventId
}

/** Puts messages that were given up (or all, where that is asked) back into the queue, with their own ids. */
export async function replayDeliveries(
  tx: Transaction,
  { changes }: WebhookContext,
  caller: Caller,
  id: string,
  filter: ReplayFilter,
): Promise<number> {
  const endpoint = await lockReached(tx, caller, id)
  const replayed = await requeue(tx, id, filter, changes.clock.nowMs(), MOST_REPLAYED)
  if (replayed > 0)
    changes.record(tx, caller, { ...about(endpoint, 'webhook.replayed'), data: { replayed }, feed: null })
  return replayed
}

export function about(endpoint: Endpoint, action: string): Omit<StateChange, 'feed'> {
  return {
    action,
    tenant: endpoint.tenantId,
    target: { type: 'webhook', id: endpoint.id },
    data: { url: endpoint.url, events: endpoint.events },
  }
}

/** Events are not divided by API: whoever is confined to some may not hear of others. */
export function requireUnconfined(caller: Caller): void {
  if (caller.resources !== null)
    throw new PosternError('forbidden', 'You are confined to some resources, and webhooks tell of all.')
}

export function reachesEndpoint(caller: Caller, { tenantId }: Endpoint): boolean {
  return caller.tenant === null || caller.tenant === tenantId
}

async function lockReached(tx: Transaction, caller: Caller, id: string): Promise<Endpoint> {
  requireUnconfined(caller)
  const endpoint = await lockEndpoint(tx, id)
  if (!endpoint || !reachesEndpoint(caller, endpoint)) throw notFound('webhook')
  return endpoint
}

/** Networks that were opened are for the deployment's own endpoints: a tenant may not have them written to. */
export function guardOf(guard: FetchGuard, tenantId: string | null): FetchGuard {
  return tenantId === null ? guard : { ...guard, allow: [] }
}

/** Its form alone: where its name leads is looked at for each message, when it is sent. */
function checkTarget(url: string, guard: FetchGuard): void {
  try {
    checkUrl(url, guard)
  } catch (error) {
    if (error instanceof FetchRefused) throw invalid('/url', error.message)
    throw error
  }
}
