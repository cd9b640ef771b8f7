/** Issues a key: shown once, stored as a peppered hash. */
import {
  type Caller,
  type Environment,
  invalid,
  MANAGEMENT_RESOURCE,
  newId,
  notFound,
  reachesResource,
  reachesTenant,
} from '../kernel/index.ts'
import { lockResource, type Resource } from '../resources/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import type { ApiKey, IssuedKey } from './api-key.ts'
import type { KeyContext } from './key-context.ts'
import { generateKey } from './key-format.ts'
import {
  checkAddresses,
  checkMetadata,
  checkOwner,
  checkScopes,
  type Expiry,
  resolveExpiry,
} from './key-rules.ts'
import { insertKeys } from './store.ts'

export interface IssueInput extends Expiry {
  readonly tenantId: string
  readonly resourceId: string
  readonly owner: string
  readonly name: string
  readonly scopes: readonly string[]
  readonly environment?: Environment | undefined
  readonly notBeforeMs?: number | undefined
  readonly ipAllow?: readonly string[] | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/**
 * Throws `invalid_request` naming the member at fault, `not_found` for a tenant or resource that is not there or that
 * the caller does not reach.
 */
export async function issueApiKey(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  input: IssueInput,
): Promise<IssuedKey> {
  if (input.resourceId === MANAGEMENT_RESOURCE) throw notFound('resource')
  checkOwner(input.owner)
  // The position first: a revocation that commits from here on outranks the new key.
  const { rsn, resource } = await openParents(tx, caller, input)
  checkScopes(input.scopes, resource)
  const issued = makeKey(context, caller, resource, { ...input, rsn })
  await insertKeys(tx, [issued.record])
  context.changes.record(tx, caller, {
    action: 'api_key.issued',
    tenant: input.tenantId,
    target: { type: 'api_key', id: issued.record.id },
    data: {
      owner: input.owner,
      resource: resource.uri,
      scopes: input.scopes,
      expires:
        issued.record.expiresAtMs === null ? 'never' : new Date(issued.record.expiresAtMs).toISOString(),
    },
    feed: null,
  })
  return issued
}

/** Reads the position, then holds the resource and the tenant (in the order of their ids) until COMMIT. */
export async function openParents(
  tx: Transaction,
  caller: Caller,
  { tenantId, resourceId }: { tenantId: string; resourceId: string },
): Promise<{ rsn: number; resource: Resource }> {
  const { seq: rsn } = await readFeedHead(tx.over())
  const resource = reachesResource(caller, resourceId)
    ? await lockResource(tx, resourceId, 'share')
    : undefined
  if (!resource) throw notFound('resource')
  const tenant = reachesTenant(caller, tenantId) ? await lockTenant(tx, tenantId, 'share') : undefined
  if (!tenant) throw notFound('tenant')
  return { rsn, resource }
}

export interface NewKey extends IssueInput {
  readonly rsn: number
  readonly boundResources?: readonly string[] | null
  readonly rotatedFrom?: string
}

/** A new key's record and text, checked but not yet stored. */
export function makeKey(context: KeyContext, caller: Caller, resource: Resource, input: NewKey): IssuedKey {
  const { clock } = context.changes
  checkAddresses(input.ipAllow ?? [])
  checkMetadata(input.metadata ?? {})
  const expiresAtMs = resolveExpiry(input, resource, clock)
  if (input.notBeforeMs !== undefined && expiresAtMs !== null && input.notBeforeMs >= expiresAtMs)
    throw invalid('/not_before', 'The key would end before it begins.')
  const environment = input.environment ?? 'live'
  const { key, prefix, lookup, last4 } = generateKey(resource.keyPrefix, environment)
  const record: ApiKey = {
    ...BLANK,
    id: newId('key', clock),
    tenantId: input.tenantId,
    resourceId: resource.id,
    owner: input.owner,
    name: input.name,
    environment,
    scopes: [...new Set(input.scopes)],
    prefix,
    lookup,
    last4,
    ...context.peppers.hash(key),
    ipAllow: input.ipAllow ?? [],
    metadata: input.metadata ?? {},
    boundResources: input.boundResources ?? null,
    rsn: input.rsn,
    createdAtMs: clock.nowMs(),
    createdBy: caller.id,
    notBeforeMs: input.notBeforeMs ?? null,
    expiresAtMs,
    rotatedFrom: input.rotatedFrom ?? null,
  }
  return { record, key }
}

/** What no key has at first. */
export const BLANK = {
  importedAlgorithm: null,
  disabledAtMs: null,
  revokedAtMs: null,
  revokedReason: null,
  rotatedAtMs: null,
  rotatedTo: null,
  rotatedFrom: null,
  lastUsedAtMs: null,
  lastUsedNetwork: null,
} as const
