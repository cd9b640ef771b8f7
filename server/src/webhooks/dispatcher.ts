/**
 * Sends what is queued. Every node may run one: a message is leased, so that one node at a time sends it, and one that
 * dies with a lease is followed by another when it runs out. So a message may arrive twice, and then with the same id.
 *
 * An endpoint has few places at once, and a failing one a single place: one that hangs holds up its own messages alone.
 */
import { type Clock, systemCaller } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { fetchGuarded, type FetchGuard } from '../tokens/index.ts'
import { about, guardOf } from './change-endpoints.ts'
import {
  currentSecrets,
  type Delivery,
  type Endpoint,
  KEEP_MS,
  LONGEST_FAILING_MS,
  MOST_LOGGED,
  retryAfterMs,
} from './endpoint.ts'
import type { SecretSealer } from './endpoint-secrets.ts'
import { signatureHeaders } from './sign-message.ts'
import {
  type Attempted,
  claimDeliveries,
  deleteDeliveries,
  lockEndpoint,
  noteAttempt,
  noteFailing,
  saveEndpoint,
  selectBeyond,
  selectDueEndpoints,
  selectEndpointIds,
  selectOldDeliveries,
} from './store.ts'

export interface DispatcherPorts {
  readonly storage: Storage
  readonly changes: Changes
  readonly clock: Clock
  readonly sealer: SecretSealer
  readonly guard: FetchGuard
  /** An endpoint was disabled. */
  onDisabled(endpoint: Endpoint): void
  onError(error: unknown): void
  readonly random?: () => number
  readonly timeoutMs?: number
}

const TICK_MS = 1_000
const TIMEOUT_MS = 10_000
/** Longer than an attempt can take, with all that surrounds it. */
const LEASE_MS = 60_000
/** How long an end of the process waits for what is under way. */
const PATIENCE_MS = 3_000
const PLACES = 64
const PLACES_OF_ONE = 4
const LARGEST_ANSWER = 4_096
const LONGEST_ERROR = 300
const PURGE_BATCH = 1_000

const UPKEEP = systemCaller([])

export class Dispatcher {
  readonly #ports: DispatcherPorts
  readonly #underWay = new Map<string, number>()
  readonly #attempts = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(ports: DispatcherPorts) {
    this.#ports = ports
  }

  start(): void {
    this.#timer = setInterval(() => this.wake(), TICK_MS).unref()
  }

  /** Looks for what is due, soon. */
  wake(): void {
    if (this.#stopped || !this.#timer) return
    if (this.#looking) this.#again = true
    else void this.look()
  }

  /** Waits a moment for what is under way; what takes longer is sent again when its lease has run out. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#looking
    const patience = Promise.withResolvers<void>()
    const timer = setTimeout(patience.resolve, PATIENCE_MS)
    await Promise.race([Promise.all(this.#attempts), patience.promise])
    clearTimeout(timer)
  }

  /** Starts every attempt that is due and has a place. Resolves when they have been started. */
  look(): Promise<void> {
    this.#again = false
    this.#looking ??= this.#startDue()
      .catch((error: unknown) => this.#ports.onError(error))
      .finally(() => {
        this.#looking = undefined
        if (this.#again) this.wake()
      })
    return this.#looking
  }

  /** Looks until nothing is due and nothing is under way. */
  async settle(): Promise<void> {
    do {
      await this.look()
      await Promise.all(this.#attempts)
    } while ((await selectDueEndpoints(this.#ports.storage, this.#ports.clock.nowMs(), 1)).length > 0)
  }

  async #startDue(): Promise<void> {
    const { storage, clock } = this.#ports
    const due = await selectDueEndpoints(storage, clock.nowMs(), PLACES)
    for (const endpoint of due) {
      const places = endpoint.failingSinceMs === null ? PLACES_OF_ONE : 1
      const mine = places - (this.#underWay.get(endpoint.id) ?? 0)
      const limit = Math.min(mine, PLACES - this.#attempts.size)
      if (limit <= 0 || this.#stopped) continue
      const nowMs = clock.nowMs()
      const claimed = await storage.write((tx) =>
        claimDeliveries(tx, endpoint.id, { nowMs, leaseUntilMs: nowMs + LEASE_MS, limit }),
      )
      for (const delivery of claimed) this.#begin(endpoint, delivery)
    }
  }

  #begin(endpoint: Endpoint, delivery: Delivery): void {
    const { id } = endpoint
    this.#underWay.set(id, (this.#underWay.get(id) ?? 0) + 1)
    const attempt = this.#attempt(endpoint, delivery)
      .catch((error: unknown) => this.#ports.onError(error))
      .finally(() => {
        this.#attempts.delete(attempt)
        const left = (this.#underWay.get(id) ?? 1) - 1
        if (left > 0) this.#underWay.set(id, left)
        else this.#underWay.delete(id)
        this.wake()
      })
    this.#attempts.add(attempt)
  }

  async #attempt(endpoint: Endpoint, delivery: Delivery): Promise<void> {
    const { storage, clock, random = Math.random } = this.#ports
    const { status, error, gone } = await this.#send(endpoint, delivery)
    const delivered = error === null
    const waitMs = retryAfterMs(delivery.attempts, random())
    const nowMs = clock.nowMs()
    const attempted: Attempted = {
      state: delivered ? 'delivered' : waitMs === undefined ? 'failed' : 'pending',
      nextAtMs: nowMs + (waitMs ?? 0),
      status,
      error,
    }
    const disabled = await storage.write(async (tx) => {
      if (!(await noteAttempt(tx, delivery, attempted))) return undefined
      await noteFailing(tx, endpoint.id, delivered ? null : nowMs)
      return delivered ? undefined : this.#disableIfHopeless(tx, endpoint.id, nowMs, gone)
    })
    if (disabled) this.#ports.onDisabled(disabled)
  }

  /** Standard Webhooks: any 2xx is a success, a redirect is a failure, and 410 asks for no more. */
  async #send(
    endpoint: Endpoint,
    { eventId, payload }: Delivery,
  ): Promise<{ status: number | null; error: string | null; gone: boolean }> {
    const { clock, sealer, guard, timeoutMs = TIMEOUT_MS } = this.#ports
    try {
      const nowMs = clock.nowMs()
      const secrets = currentSecrets(endpoint, nowMs).map(({ id, sealed }) => sealer.open(id, sealed))
      const { status } = await fetchGuarded(
        endpoint.url,
        {
          ...guardOf(guard, endpoint.tenantId),
          timeoutMs,
          largestBytes: LARGEST_ANSWER,
          cutLongAnswers: true,
        },
        {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            'user-agent': 'postern-webhooks',
            ...signatureHeaders({ id: eventId, body: payload }, secrets, nowMs),
          },
          body: payload,
        },
      )
      const good = status >= 200 && status < 300
      return { status, error: good ? null : `answered ${status}`, gone: status === 410 }
    } catch (error) {
      return { status: null, error: String((error as Error).message).slice(0, LONGEST_ERROR), gone: false }
    }
  }

  async #disableIfHopeless(
    tx: Transaction,
    id: string,
    nowMs: number,
    gone: boolean,
  ): Promise<Endpoint | undefined> {
    const endpoint = await lockEndpoint(tx, id)
    if (!endpoint || endpoint.disabledAtMs !== null) return undefined
    const failingMs = nowMs - (endpoint.failingSinceMs ?? nowMs)
    if (!gone && failingMs < LONGEST_FAILING_MS) return undefined
    const reason = gone ? 'it answered 410 Gone' : 'it has failed for three days'
    const disabled = { ...endpoint, disabledAtMs: nowMs, disabledReason: reason, updatedAtMs: nowMs }
    await saveEndpoint(tx, disabled)
    this.#ports.changes.record(tx, UPKEEP, {
      ...about(disabled, 'webhook.disabled'),
      data: { url: endpoint.url, reason },
      feed: null,
    })
    return disabled
  }

  /** Upkeep's: keeps the log within its bounds. What is to go is looked for beside the writer. */
  async purge(): Promise<void> {
    const { storage, clock } = this.#ports
    const remove = async (ids: readonly string[]): Promise<void> => {
      if (ids.length > 0) await storage.write((tx) => deleteDeliveries(tx, ids))
    }
    await remove(await selectOldDeliveries(storage, clock.nowMs() - KEEP_MS, PURGE_BATCH))
    for (const id of await selectEndpointIds(storage))
      await remove(await selectBeyond(storage, id, MOST_LOGGED, PURGE_BATCH))
  }
}
