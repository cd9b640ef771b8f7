/**
 * Levels on whoever acts in a tenant under a name that is not ours to keep: an owner of keys, an agent. What they have now
 * is dead; what they are given afterwards is good.
 */
import { type Caller, notFound, reachesTenant } from '../kernel/index.ts'
import { type Changes, subjectKey } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from './store.ts'

export interface SubjectInTenant {
  readonly tenantId: string
  readonly sub: string
  readonly reason?: string | null
}

/** Signs an external owner out everywhere: keys, and the tokens that descend from them. */
export async function revokeSubject(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  { tenantId, sub, reason = null }: SubjectInTenant,
): Promise<void> {
  await requireTenant(tx, caller, tenantId)
  changes.record(tx, caller, {
    action: 'subject.revoked',
    tenant: tenantId,
    target: { type: 'subject', id: sub },
    data: { reason },
    feed: { kind: 'subject', key: subjectKey(tenantId, sub), effect: 'revoked', reason },
  })
}

/** Ends every delegation to somebody: the tokens in which they act for another. Their own credentials stay. */
export async function revokeActor(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  { tenantId, sub, reason = null }: SubjectInTenant,
): Promise<void> {
  await requireTenant(tx, caller, tenantId)
  recordActorRevoked(tx, changes, caller, { tenant: tenantId, sub, key: subjectKey(tenantId, sub), reason })
}

/** The same for a user or a client of ours, whose id is one everywhere. The caller was found to reach it. */
export function recordActorRevoked(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  acting: {
    readonly tenant: string | null
    readonly sub: string
    readonly key: string
    readonly reason: string | null
  },
): void {
  const { tenant, sub, key, reason } = acting
  changes.record(tx, caller, {
    action: 'actor.revoked',
    tenant,
    target: { type: 'actor', id: sub },
    data: { reason },
    feed: { kind: 'actor', key, effect: 'revoked', reason },
  })
}

async function requireTenant(tx: Transaction, caller: Caller, id: string): Promise<void> {
  if (!reachesTenant(caller, id) || !(await lockTenant(tx, id, 'share'))) throw notFound('tenant')
}
