/** One committed change: who did what to what. The hash covers every member and the one before it. */
import { createHash } from 'node:crypto'
import type { ChangeMaker } from '../kernel/index.ts'

export interface AuditEvent {
  readonly id: string
  /** Unix milliseconds. */
  readonly at: number
  /** The tenant it concerns; null: the deployment. */
  readonly tenant: string | null
  readonly actorType: ChangeMaker['type']
  readonly actorId: string
  /** `noun.past_participle`: `api_key.issued`. */
  readonly action: string
  readonly targetType: string
  readonly targetId: string
  /** Names and figures, never a secret. JSON. */
  readonly data: string
}

/** What stands before the first event. */
export const GENESIS = '0'.repeat(43)

/** SHA-256 over the previous hash and every member in a fixed order, base64url. */
export function chainHash(previousHash: string, seq: number, event: AuditEvent): string {
  const members = [
    previousHash,
    seq,
    event.id,
    event.at,
    event.tenant,
    event.actorType,
    event.actorId,
    event.action,
    event.targetType,
    event.targetId,
    event.data,
  ]
  return createHash('sha256').update(JSON.stringify(members)).digest('base64url')
}
