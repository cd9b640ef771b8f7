/** Tells of what is due and of what is overdue, each once: as webhooks, in the transaction that notes it. */
import { MANAGEMENT_SCOPES, newId, rfc3339, systemCaller } from '../kernel/index.ts'
import type { Clock } from '../kernel/index.ts'
import { UniqueViolation } from '../storage/index.ts'
import type { WebhookOutbox } from '../webhooks/index.ts'
import { type Aging, CREDENTIAL_KINDS } from './aging.ts'
import { type AgingPorts, findAging } from './find-aging.ts'
import { deleteWarnings, insertWarning, selectWarned } from './store.ts'

export interface WarningPorts extends AgingPorts {
  readonly clock: Clock
  readonly outbox: WebhookOutbox
}

const BATCH = 200
/** Longer than anything is due: then it is told of again. */
const FORGET_MS = 400 * 86_400_000
const SYSTEM = systemCaller(MANAGEMENT_SCOPES.map(({ name }) => name))

/** Answers how many were told of. Safe to run on several nodes at once. */
export async function warnOfRotation(ports: WarningPorts): Promise<number> {
  const nowMs = ports.clock.nowMs()
  await ports.storage.write((tx) => deleteWarnings(tx, nowMs - FORGET_MS))
  let told = 0
  let batch: Aging[] = []
  for await (const aging of findAging(ports, SYSTEM, CREDENTIAL_KINDS, nowMs)) {
    batch.push(aging)
    if (batch.length < BATCH) continue
    told += await tell(ports, batch, nowMs)
    batch = []
  }
  return told + (await tell(ports, batch, nowMs))
}

async function tell(
  { storage, clock, outbox }: WarningPorts,
  batch: readonly Aging[],
  nowMs: number,
): Promise<number> {
  try {
    return await storage.write(async (tx) => {
      const warned = await selectWarned(
        tx,
        batch.map(({ id }) => id),
      )
      const fresh = batch.filter(({ id, state }) => !warned.has(`${id} ${state}`))
      for (const one of fresh) {
        await insertWarning(tx, one.id, one.state, nowMs)
        outbox.tell(tx, {
          id: newId('evt', clock),
          type: one.state === 'due' ? 'credential.expiring' : 'credential.overdue',
          atMs: nowMs,
          tenant: one.tenant,
          data: {
            kind: one.kind,
            credential: one.id,
            holder: one.holder,
            resource: one.resource,
            created_at: rfc3339(one.createdAtMs),
            expires_at: rfc3339(one.expiresAtMs),
            due_at: rfc3339(one.dueAtMs),
          },
        })
      }
      return fresh.length
    })
  } catch (error) {
    // Another node is telling of the same: it tells of all of them.
    if (error instanceof UniqueViolation) return 0
    throw error
  }
}
