/**
 * What this process knows of the feed: the rows in force, the keys, the position, and how old all of it may be. Only the
 * feed's client writes it; verifiers read it on every request.
 */
import type { Clock } from '../clock.ts'
import { NO_KEYS, type VerificationKeys } from '../tokens/verification-keys.ts'
import { DenyTable } from './deny-table.ts'
import type { FeedResource, FeedRow, Heartbeat, Snapshot } from './feed-messages.ts'

/**
 * `boot`: nothing is known yet. `live`: current within three seconds. `stale`: within thirty; still answered from here,
 * and said so. `degraded`: older. `off`: the live form is switched off.
 */
export type FeedState = 'off' | 'boot' | 'live' | 'stale' | 'degraded'

export const LIVE_MS = 3_000
export const STALE_MS = 30_000
/** A part of the rows each time. */
const PURGE_EVERY_MS = 1_000

export class Knowledge {
  readonly rows = new DenyTable()
  /** Below it this process answers from what it knows; by the monotonic clock. */
  servesUntilMs = Number.NEGATIVE_INFINITY
  keys: VerificationKeys = NO_KEYS
  issuer = ''
  /** The tenant that this service's credential reaches, null for all; undefined: the server does not say. */
  tenant: string | null | undefined
  resources: ReadonlyMap<string, FeedResource> = new Map()
  epoch = ''
  /** Every row up to here that concerns this service has been seen. */
  position = 0
  /** Counts the times at which rows may have been missed. An answer that was asked for before is not kept after. */
  generation = 0
  /** What happened up to here before the last snapshot is known as far as it is in force, and no further. */
  knownFrom = 0

  readonly #clock: Clock
  readonly #gaps = new Set<() => void>()
  /** The monotonic time at which all of this was true. */
  #trueAtMs = Number.NEGATIVE_INFINITY
  /** The server's wall clock minus our monotonic one. */
  #serverAheadMs: number | undefined
  #purgedAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Calls `listener` when rows may have been missed: whatever is kept on the word of the feed goes. */
  onGap(listener: () => void): () => void {
    this.#gaps.add(listener)
    return () => this.#gaps.delete(listener)
  }

  /** How long ago everything here was true; Infinity when it never was. */
  ageMs(nowMs: number): number {
    return nowMs - this.#trueAtMs
  }

  state(nowMs: number): FeedState {
    const age = this.ageMs(nowMs)
    if (age <= LIVE_MS) return 'live'
    if (age <= STALE_MS) return 'stale'
    return age === Number.POSITIVE_INFINITY ? 'boot' : 'degraded'
  }

  /** The server's wall clock as far as it is known, else our own: whose clock was set back revives no dead token. */
  wallMs(monotonicMs: number): number {
    return this.#serverAheadMs === undefined ? this.#clock.nowMs() : monotonicMs + this.#serverAheadMs
  }

  row(row: FeedRow): void {
    this.rows.note(row)
    if (row.seq > this.position) this.position = row.seq
  }

  /**
   * A promise about everything up to a head. `sentAtMs`: when the request was sent that it answers. Answers how long ago
   * it was true, however long it was on its way: it was made no earlier than the server received that request, plus the
   * time that the server says has passed since.
   */
  promise({ head, nowMs, ageMs, streamMs = 0 }: Heartbeat, sentAtMs: number): number {
    const receivedAtMs = this.#clock.monotonicMs()
    const madeAtMs = Math.min(sentAtMs + streamMs, receivedAtMs)
    const trueAtMs = madeAtMs - ageMs
    if (head > this.position) this.position = head
    if (trueAtMs > this.#trueAtMs) {
      this.#trueAtMs = trueAtMs
      this.servesUntilMs = trueAtMs + STALE_MS
      this.#serverAheadMs = nowMs - madeAtMs
    }
    this.#purge(receivedAtMs)
    return receivedAtMs - trueAtMs
  }

  /** Starts again from a snapshot. Deny rows that are known stay until their time is over. */
  adopt(snapshot: Snapshot, keys: VerificationKeys, sentAtMs: number): void {
    this.adoptKeys(keys)
    this.#describe(snapshot)
    for (const row of snapshot.rows) this.rows.note(row)
    this.epoch = snapshot.epoch
    this.position = snapshot.head
    this.knownFrom = snapshot.head
    this.generation++
    this.promise(snapshot, sentAtMs)
    for (const listener of this.#gaps) listener()
  }

  /** What a key vouched for that is gone is no longer vouched for. */
  adoptKeys(keys: VerificationKeys): void {
    const held = this.keys
    this.keys = keys
    for (const kid of held.keys())
      if (!keys.has(kid)) {
        for (const listener of this.#gaps) listener()
        return
      }
  }

  /** Takes over what a snapshot says besides its rows, which the stream has told already. */
  refresh(snapshot: Snapshot): void {
    if (snapshot.epoch === this.epoch) this.#describe(snapshot)
  }

  /** Rows may be missed from here on until the next snapshot. */
  loseTrack(): void {
    this.generation++
    for (const listener of this.#gaps) listener()
  }

  #describe({ issuer, tenant, resources }: Snapshot): void {
    this.issuer = issuer
    this.tenant = tenant
    this.resources = new Map(resources.map((resource) => [resource.uri, resource]))
  }

  #purge(monotonicMs: number): void {
    if (monotonicMs - this.#purgedAtMs < PURGE_EVERY_MS) return
    this.#purgedAtMs = monotonicMs
    this.rows.purge(this.wallMs(monotonicMs))
  }
}
