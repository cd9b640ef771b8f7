/**
 * Refusals and other things that change nothing: counted in memory by (kind, code, route, network, minute), written in
 * batches after the replies. Bounded, so that a flood costs neither memory nor disk: beyond the bound a minute's rest
 * is counted without its network and credential. What concerns a proven credential has a bound of its own: a flood of
 * unknown ones hides no leaked key.
 */
import type { Clock } from '../kernel/index.ts'
import { RegularFlush, StorageUnavailable, type Storage } from '../storage/index.ts'
import { type ActivityRow, addActivity, purgeActivity } from './store.ts'

export interface Activity {
  /** `denial`, `exposed`, `sign_in`, … */
  readonly kind: string
  readonly code: string
  /** The route's pattern, never the path that was called. */
  readonly route: string
  /** Coarse (see `coarseNetwork`). */
  readonly network: string
  readonly tenant?: string | undefined
  readonly credential?: string | undefined
}

const FLUSH_MS = 1_000
const MOST_ROWS_A_MINUTE = 500
const KEEP_DAYS = 30
const PURGE_EVERY_MS = 3_600_000

export class ActivityLog {
  readonly #storage: Storage
  readonly #clock: Clock
  #pending = new Map<string, ActivityRow>()
  #minute = 0
  readonly #seen = { proven: new Set<string>(), other: new Set<string>() }
  #purging: NodeJS.Timeout | undefined
  readonly #flush: RegularFlush

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
    this.#flush = new RegularFlush(() => this.#write(), FLUSH_MS)
  }

  start(): void {
    this.#flush.start()
    this.#purging = setInterval(() => void this.purge().catch(() => {}), PURGE_EVERY_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#purging)
    await this.#flush.stop()
  }

  record(activity: Activity): void {
    const now = this.#clock.nowMs()
    const minute = Math.floor(now / 60_000)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#seen.proven.clear()
      this.#seen.other.clear()
    }
    const { kind, code, route } = activity
    let { network, tenant = '', credential = '' } = activity
    let key = JSON.stringify([minute, kind, code, route, network, tenant, credential])
    const seen = credential === '' ? this.#seen.other : this.#seen.proven
    if (!seen.has(key) && seen.size >= MOST_ROWS_A_MINUTE) {
      network = '*'
      credential = '*'
      tenant = ''
      key = JSON.stringify([minute, kind, code, route, network, tenant, credential])
    } else seen.add(key)
    const row = this.#pending.get(key)
    if (row) {
      row.count++
      row.last_at = now
    } else
      this.#pending.set(key, {
        minute,
        kind,
        code,
        route,
        network,
        tenant,
        credential,
        count: 1,
        first_at: now,
        last_at: now,
      })
  }

  /** Writes what is pending. While the database is away, counts are kept for a later try. */
  flush(): Promise<void> {
    return this.#flush.now()
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return
    const rows = [...this.#pending.values()]
    this.#pending = new Map()
    try {
      await addActivity(this.#storage, rows)
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error
      // Kept for the next try, bounded: after that the oldest are dropped, as a refusal must never cost memory.
      for (const row of rows.slice(0, MOST_ROWS_A_MINUTE * 4 - this.#pending.size)) this.#keep(row)
    }
  }

  async purge(): Promise<void> {
    await purgeActivity(this.#storage, Math.floor(this.#clock.nowMs() / 60_000) - KEEP_DAYS * 1_440)
  }

  #keep(row: ActivityRow): void {
    const key = JSON.stringify([
      row.minute,
      row.kind,
      row.code,
      row.route,
      row.network,
      row.tenant,
      row.credential,
    ])
    const newer = this.#pending.get(key)
    if (newer) {
      newer.count += row.count
      newer.first_at = row.first_at
    } else this.#pending.set(key, row)
  }
}
