/**
 * Memberships: which tenants a user acts for, with which roles. Losing one ends the user's sessions and tokens, because
 * a token names its tenant and roles and is believed without asking; gaining one ends nothing.
 */
import {
  type Caller,
  invalid,
  isScope,
  missingScopes,
  notFound,
  PosternError,
  requireDeployment,
} from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import { deleteMembership, findMembership, putMembership } from './membership-store.ts'
import { lockUser } from './user-store.ts'
import type { Membership } from './user.ts'

const MOST_ROLES = 50

/** Makes the user a member of the tenant with exactly these roles. Roles are plain names, spelt like scopes. */
export async function setMembership(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: { readonly userId: string; readonly tenantId: string; readonly roles: readonly string[] },
): Promise<Membership> {
  requireDeployment(caller, 'Changing a membership')
  const { userId, tenantId } = input
  const roles = [...new Set(input.roles)]
  if (roles.length > MOST_ROLES || !roles.every(isScope))
    throw invalid(
      '/roles',
      `At most ${MOST_ROLES} roles, each of printable ASCII without space, quote and backslash.`,
    )
  const tenant = await lockTenant(tx, tenantId, 'share')
  if (!tenant) throw notFound('tenant')
  if (!(await lockUser(tx, userId, 'update'))) throw notFound('user')
  const before = await findMembership(tx, userId, tenantId)
  const nowMs = changes.clock.nowMs()
  await putMembership(tx, userId, tenantId, roles, nowMs)
  const lost = before ? missingScopes(roles, before.roles) : []
  changes.record(tx, caller, {
    action: before ? 'membership.updated' : 'membership.created',
    tenant: tenantId,
    target: { type: 'user', id: userId },
    data: { roles },
    feed: lost.length > 0 ? { kind: 'subject', key: userId, effect: 'revoked', reason: 'fewer roles' } : null,
  })
  return {
    userId,
    tenantId,
    tenantName: tenant.name,
    tenantDisabled: tenant.disabledAtMs !== null,
    roles,
    createdAtMs: before?.createdAtMs ?? nowMs,
    updatedAtMs: nowMs,
  }
}

export async function removeMembership(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  { userId, tenantId }: { readonly userId: string; readonly tenantId: string },
): Promise<void> {
  requireDeployment(caller, 'Changing a membership')
  if (!(await lockUser(tx, userId, 'update'))) throw notFound('user')
  if (!(await findMembership(tx, userId, tenantId)))
    throw new PosternError('not_found', 'The user is not a member of this tenant.')
  await deleteMembership(tx, userId, tenantId)
  changes.record(tx, caller, {
    action: 'membership.deleted',
    tenant: tenantId,
    target: { type: 'user', id: userId },
    feed: { kind: 'subject', key: userId, effect: 'revoked', reason: 'membership deleted' },
  })
}
