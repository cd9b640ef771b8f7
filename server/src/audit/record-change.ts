/** Writes a change into the audit chain, in the transaction that makes the change. */
import { type ChangeMaker, type Clock, newId } from '../kernel/index.ts'
import type { Transaction } from '../storage/index.ts'
import type { AuditEvent } from './audit-event.ts'
import { appendToChain } from './store.ts'

export interface Change {
  readonly action: string
  readonly tenant: string | null
  readonly target: { readonly type: string; readonly id: string }
  readonly data?: Readonly<Record<string, unknown>>
}

/** The chain's lock is taken at the end of the transaction, before the feed's counter and after every entity. */
export function recordChange(tx: Transaction, clock: Clock, caller: ChangeMaker, change: Change): AuditEvent {
  const data = caller.network === undefined ? change.data : { ...change.data, network: caller.network }
  const event: AuditEvent = {
    id: newId('evt', clock),
    at: clock.nowMs(),
    tenant: change.tenant,
    actorType: caller.type,
    actorId: caller.id,
    action: change.action,
    targetType: change.target.type,
    targetId: change.target.id,
    data: JSON.stringify(data ?? {}),
  }
  return tx.atEnd(appendToChain, event)
}
