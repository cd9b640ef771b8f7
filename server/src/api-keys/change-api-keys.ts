/** Changing one key: update, disable, enable, revoke. */
import {
  type Caller,
  DEPLOYMENT_TENANT,
  MANAGEMENT_RESOURCE,
  notFound,
  PosternError,
  reachesResource,
  reachesTenant,
} from '../kernel/index.ts'
import { lockResource } from '../resources/index.ts'
import type { StateChange } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import type { KeyContext } from './key-context.ts'
import { checkAddresses, checkMetadata, checkScopes, resolveExpiry } from './key-rules.ts'
import { lockKey, saveKey } from './store.ts'

export interface KeyPatch {
  readonly name?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly expiresAtMs?: number | null | undefined
  readonly ipAllow?: readonly string[] | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

export async function updateApiKey(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  patch: KeyPatch,
): Promise<ApiKey> {
  const before = await lockReachedKey(tx, caller, id)
  requireUnrevoked(before)
  const resource = await lockResource(tx, before.resourceId, 'share')
  if (!resource) throw notFound('API key')
  if (patch.scopes) checkScopes(patch.scopes, resource)
  if (patch.ipAllow) checkAddresses(patch.ipAllow)
  if (patch.metadata) checkMetadata(patch.metadata)
  const key: ApiKey = {
    ...before,
    name: patch.name ?? before.name,
    scopes: patch.scopes ? [...new Set(patch.scopes)] : before.scopes,
    ipAllow: patch.ipAllow ?? before.ipAllow,
    metadata: patch.metadata ?? before.metadata,
    expiresAtMs:
      patch.expiresAtMs === undefined
        ? before.expiresAtMs
        : resolveExpiry({ expiresAtMs: patch.expiresAtMs }, resource, context.changes.clock),
  }
  await saveKey(tx, key)
  context.changes.record(tx, caller, {
    ...keyChange(key, 'api_key.updated', {
      changed: Object.keys(patch).filter((name) => patch[name as keyof KeyPatch] !== undefined),
      expires: key.expiresAtMs === null ? 'never' : new Date(key.expiresAtMs).toISOString(),
    }),
    feed: { kind: 'api_key', key: id, effect: 'changed' },
  })
  return key
}

/** Disabling refuses the key until it is enabled again; asking twice changes nothing. */
export async function setApiKeyDisabled(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  disabled: boolean,
): Promise<ApiKey> {
  const before = await lockReachedKey(tx, caller, id)
  requireUnrevoked(before)
  if ((before.disabledAtMs !== null) === disabled) return before
  const key: ApiKey = { ...before, disabledAtMs: disabled ? context.changes.clock.nowMs() : null }
  await saveKey(tx, key)
  context.changes.record(tx, caller, {
    ...keyChange(key, disabled ? 'api_key.disabled' : 'api_key.enabled'),
    feed: { kind: 'api_key', key: id, effect: 'changed' },
  })
  return key
}

/** For ever. Revoking a revoked key changes nothing and succeeds. */
export async function revokeApiKey(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  reason?: string,
): Promise<ApiKey> {
  return revokeLocked(tx, context, caller, await lockReachedKey(tx, caller, id), reason)
}

/** The same for a key that the caller has locked already. */
export async function revokeLocked(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  before: ApiKey,
  reason?: string,
): Promise<ApiKey> {
  if (before.revokedAtMs !== null) return before
  const key: ApiKey = { ...before, revokedAtMs: context.changes.clock.nowMs(), revokedReason: reason ?? null }
  await saveKey(tx, key)
  context.changes.record(tx, caller, {
    ...keyChange(key, key.resourceId === MANAGEMENT_RESOURCE ? 'operator.revoked' : 'api_key.revoked', {
      reason: reason ?? null,
    }),
    feed: { kind: 'api_key', key: key.id, effect: 'revoked', reason: reason ?? null },
  })
  return key
}

/** A key of an API, never an operator's: those have their own endpoints and scope. */
export async function lockReachedKey(tx: Transaction, caller: Caller, id: string): Promise<ApiKey> {
  const key = await lockKey(tx, id)
  if (!key || key.resourceId === MANAGEMENT_RESOURCE || !reaches(caller, key)) throw notFound('API key')
  return key
}

export function reaches(caller: Caller, key: ApiKey): boolean {
  return reachesTenant(caller, key.tenantId) && reachesResource(caller, key.resourceId)
}

export function requireUnrevoked(key: ApiKey): void {
  if (key.revokedAtMs !== null)
    throw new PosternError('conflict', 'The key has been revoked, which is for ever.')
}

export function keyChange(
  key: ApiKey,
  action: string,
  data: Record<string, unknown> = {},
): Omit<StateChange, 'feed'> {
  return {
    action,
    tenant: key.tenantId === DEPLOYMENT_TENANT ? null : key.tenantId,
    target: { type: key.resourceId === MANAGEMENT_RESOURCE ? 'operator' : 'api_key', id: key.id },
    data: { owner: key.owner, ...data },
  }
}
