/** Where webhooks go, and one message on its way there. */
import type { EventType } from './event-types.ts'

export interface EndpointSecret {
  readonly id: string
  /** Under the root secret. */
  readonly sealed: string
  readonly createdAtMs: number
  readonly expiresAtMs: number | null
}

export interface Endpoint {
  readonly id: string
  /** Null: the events of the whole deployment. */
  readonly tenantId: string | null
  readonly name: string
  readonly url: string
  /** Null: all. */
  readonly events: readonly EventType[] | null
  /** Several are good at once, so that one can be rotated without a gap. */
  readonly secrets: readonly EndpointSecret[]
  readonly createdAtMs: number
  readonly createdBy: string
  readonly updatedAtMs: number
  readonly disabledAtMs: number | null
  readonly disabledReason: string | null
  /** The first failure since the last success. */
  readonly failingSinceMs: number | null
  /** Messages that were not queued because too many were waiting. */
  readonly dropped: number
}

export const DELIVERY_STATES = ['pending', 'delivered', 'failed'] as const
export type DeliveryState = (typeof DELIVERY_STATES)[number]

export interface Delivery {
  readonly id: string
  readonly endpointId: string
  /** The message's own id, the same for every attempt and every replay: `webhook-id`. */
  readonly eventId: string
  readonly type: string
  readonly payload: string
  readonly createdAtMs: number
  readonly state: DeliveryState
  readonly attempts: number
  readonly nextAtMs: number
  readonly lastAtMs: number | null
  readonly lastStatus: number | null
  readonly lastError: string | null
}

export const MOST_ENDPOINTS = 20
export const MOST_SECRETS = 5
/** Waiting for one endpoint; what comes beyond is counted and dropped. */
export const MOST_PENDING = 10_000
/** Kept of what was delivered or given up, for each endpoint. */
export const MOST_LOGGED = 10_000
export const KEEP_MS = 14 * 86_400_000

/** Seconds to the next attempt: about 28 hours in all. Undefined: it is given up. */
const BACKOFF_SECONDS = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200]

/** With `random` of 0 to 1, by which many that failed together do not come back together. */
export function retryAfterMs(attempts: number, random: number): number | undefined {
  const seconds = BACKOFF_SECONDS[attempts - 1]
  return seconds === undefined ? undefined : Math.round(seconds * 1000 * (0.8 + 0.4 * random))
}

/** An endpoint that failed all that time is told nothing any more. */
export const LONGEST_FAILING_MS = 3 * 86_400_000

export function currentSecrets({ secrets }: Endpoint, nowMs: number): EndpointSecret[] {
  return secrets.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs)
}
