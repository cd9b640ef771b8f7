/**
 * Messages are queued in the transaction of the change that they tell of: none is told that did not happen, and none is
 * lost to a crash after COMMIT. Queueing is an end step of the transaction, so that a group of changes reads the
 * endpoints once.
 */
import { type Clock, newId, rfc3339 } from '../kernel/index.ts'
import type { EndStep, Transaction } from '../storage/index.ts'
import { type Delivery, MOST_PENDING } from './endpoint.ts'
import { type EventType, isEventType } from './event-types.ts'
import { addDropped, countPending, insertDeliveries, selectListeners, type WebhookDb } from './store.ts'

export interface WebhookEvent {
  /** Stable: every attempt and every replay has the same. */
  readonly id: string
  readonly type: EventType
  readonly atMs: number
  /** Whose it is; null: the deployment's, which its own endpoints alone are told. */
  readonly tenant: string | null
  readonly data: Readonly<Record<string, unknown>>
  /** This endpoint alone. */
  readonly onlyFor?: string
}

/** What the audit chain notes, as far as it is needed here. */
interface Recorded {
  readonly id: string
  readonly at: number
  readonly tenant: string | null
  readonly action: string
  readonly targetType: string
  readonly targetId: string
}

export class WebhookOutbox {
  readonly #step: EndStep<WebhookEvent>

  /** `committed` is called when there is something to send. */
  constructor(clock: Clock, committed: () => void) {
    this.#step = {
      rank: 0,
      flush: (db, events) => queue(db as unknown as WebhookDb, clock, events),
      committed,
    }
  }

  /** A change that is being recorded: told if there is a type for it. */
  record(tx: Transaction, event: Recorded, data: Readonly<Record<string, unknown>>): void {
    const { id, at, tenant, action, targetType, targetId } = event
    if (isEventType(action))
      this.tell(tx, { id, type: action, atMs: at, tenant, data: { ...data, [targetType]: targetId } })
  }

  tell(tx: Transaction, event: WebhookEvent): void {
    tx.atEnd(this.#step, event)
  }
}

async function queue(db: WebhookDb, clock: Clock, events: readonly WebhookEvent[]): Promise<void> {
  const tenants = [...new Set(events.flatMap(({ tenant }) => tenant ?? []))]
  for (const endpoint of await selectListeners(db, tenants)) {
    const wanted = events.filter(
      ({ type, tenant, onlyFor }) =>
        (endpoint.tenantId === null || endpoint.tenantId === tenant) &&
        (onlyFor === undefined
          ? endpoint.events === null || endpoint.events.includes(type)
          : onlyFor === endpoint.id),
    )
    if (wanted.length === 0) continue
    const room = MOST_PENDING - (await countPending(db, endpoint.id, MOST_PENDING))
    const queued = wanted.slice(0, Math.max(0, room))
    await insertDeliveries(
      db,
      queued.map((event) => deliveryOf(event, endpoint.id, clock)),
    )
    if (queued.length < wanted.length) await addDropped(db, endpoint.id, wanted.length - queued.length)
  }
}

function deliveryOf(
  { id, type, atMs, tenant, data }: WebhookEvent,
  endpointId: string,
  clock: Clock,
): Delivery {
  return {
    id: newId('dlv', clock),
    endpointId,
    eventId: id,
    type,
    payload: JSON.stringify({ type, timestamp: rfc3339(atMs), data: { tenant, ...data } }),
    createdAtMs: clock.nowMs(),
    state: 'pending',
    attempts: 0,
    nextAtMs: clock.nowMs(),
    lastAtMs: null,
    lastStatus: null,
    lastError: null,
  }
}
