/**
 * Operators: keys for the management API itself. They have their own endpoints and scope, so that whoever may issue
 * keys cannot make operators. Nobody grants more than they hold, and the last deployment operator stays.
 */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  DEPLOYMENT_TENANT,
  invalid,
  MANAGEMENT_RESOURCE,
  MANAGEMENT_SCOPES,
  missingScopes,
  notFound,
  type Page,
  type Paged,
  PosternError,
  reachesResource,
  reachesTenant,
  requireHeld,
  tenantOf,
  toPage,
} from '../kernel/index.ts'
import { lockResource } from '../resources/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import type { ApiKey, IssuedKey } from './api-key.ts'
import { keyChange, revokeLocked } from './change-api-keys.ts'
import { makeKey } from './issue-api-key.ts'
import type { KeyContext } from './key-context.ts'
import type { Expiry } from './key-rules.ts'
import { countDeploymentOperators, selectKeys } from './list-store.ts'
import { type RotateInput, rotateLocked, type Rotation } from './rotate-api-key.ts'
import { findKeyById, insertKeys, lockKey } from './store.ts'

export interface OperatorInput extends Expiry {
  readonly name: string
  readonly owner?: string | undefined
  /** Null: the whole deployment. Absent: as the caller. */
  readonly tenant?: string | null | undefined
  readonly scopes: readonly string[]
  /** Resource ids to be confined to; null or absent: as the caller. */
  readonly resources?: readonly string[] | null | undefined
}

export async function createOperator(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  input: OperatorInput,
): Promise<IssuedKey> {
  requireHeld(caller, input.scopes)
  const tenantId = input.tenant === undefined ? tenantOf(caller) : (input.tenant ?? DEPLOYMENT_TENANT)
  const resources = input.resources ?? caller.resources
  const { seq: rsn } = await readFeedHead(tx.over())
  const management = await lockResource(tx, MANAGEMENT_RESOURCE, 'share')
  for (const id of [...(resources ?? [])].sort())
    if (!reachesResource(caller, id) || !(await lockResource(tx, id, 'share'))) throw notFound('resource')
  if (!reachesTenant(caller, tenantId) || !(await lockTenant(tx, tenantId, 'share'))) throw notFound('tenant')
  if (!management) throw new Error('The management resource is missing: the database was not set up.')

  const known = MANAGEMENT_SCOPES.map((scope) => scope.name)
  const unknown = missingScopes(known, input.scopes)
  if (unknown.length > 0)
    throw invalid('/scopes', `There is no management scope ${unknown.slice(0, 5).join(', ')}.`)

  const issued = makeKey(context, caller, management, {
    tenantId,
    resourceId: management.id,
    owner: input.owner ?? input.name,
    name: input.name,
    scopes: input.scopes,
    boundResources: resources,
    expiresAtMs: input.expiresAtMs,
    expiresInSeconds: input.expiresInSeconds,
    rsn,
  })
  await insertKeys(tx, [issued.record])
  context.changes.record(tx, caller, {
    ...keyChange(issued.record, 'operator.created', { scopes: input.scopes, resources }),
    feed: null,
  })
  return issued
}

export async function revokeOperator(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  reason?: string,
): Promise<ApiKey> {
  const key = await lockReachedOperator(tx, caller, id)
  // One lock for all removals, so that the last two cannot remove each other.
  await lockResource(tx, MANAGEMENT_RESOURCE, 'update')
  requireHeld(caller, key.scopes)
  if (key.tenantId === DEPLOYMENT_TENANT && key.revokedAtMs === null && isDeploymentOperator(key)) {
    const others = await countDeploymentOperators(tx, DEPLOYMENT_TENANT, id, context.changes.clock.nowMs())
    if (others === 0)
      throw new PosternError(
        'last_operator',
        'Create another deployment operator first, then revoke this one.',
      )
  }
  return revokeLocked(tx, context, caller, key, reason)
}

export async function rotateOperator(
  tx: Transaction,
  context: KeyContext,
  caller: Caller,
  id: string,
  input: RotateInput,
): Promise<Rotation> {
  const { seq: rsn } = await readFeedHead(tx.over())
  const old = await lockReachedOperator(tx, caller, id)
  // Whoever rotates gets the new key: it may not hold more than they do.
  requireHeld(caller, old.scopes)
  const resource = await lockResource(tx, MANAGEMENT_RESOURCE, 'share')
  if (!resource) throw notFound('operator')
  return rotateLocked(tx, context, caller, { old, resource, rsn }, input)
}

export async function getOperator(storage: Storage, caller: Caller, id: string): Promise<ApiKey> {
  const key = await findKeyById(storage, id)
  if (!key || !reachesOperator(caller, key)) throw notFound('operator')
  return key
}

export async function listOperators(
  storage: Storage,
  caller: Caller,
  page: Page,
  nowMs: number,
): Promise<Paged<ApiKey>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('operators', 'string', page.cursor)
  const filter = { tenantId: caller.tenant ?? undefined }
  const rows = await selectKeys(storage, filter, { after, limit: limit + 1, nowMs, operators: true })
  const { data, nextCursor } = toPage('operators', rows, limit, (key) => key.id)
  return { data: data.filter((key) => reachesOperator(caller, key)), nextCursor }
}

async function lockReachedOperator(tx: Transaction, caller: Caller, id: string): Promise<ApiKey> {
  const key = await lockKey(tx, id)
  if (!key || !reachesOperator(caller, key)) throw notFound('operator')
  return key
}

/** An operator confined to some resources reaches those confined to the same or fewer. */
function reachesOperator(caller: Caller, key: ApiKey): boolean {
  if (key.resourceId !== MANAGEMENT_RESOURCE || !reachesTenant(caller, key.tenantId)) return false
  const { resources } = caller
  return resources === null || (key.boundResources?.every((id) => resources.includes(id)) ?? false)
}

function isDeploymentOperator(key: ApiKey): boolean {
  return key.boundResources === null && key.scopes.includes('operators:write')
}
