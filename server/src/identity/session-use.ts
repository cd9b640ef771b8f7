/**
 * Last use of sessions: noted in memory, at most once a minute for each, and written in batches. No page waits for it;
 * a crash loses seconds of it.
 */
import { type Clock, coarseNetwork } from '../kernel/index.ts'
import { inBatches, RegularFlush, type Storage, StorageUnavailable } from '../storage/index.ts'
import { saveUses, type UseRow } from './session-store.ts'
import type { Session } from './session.ts'

const FLUSH_MS = 5_000
const COARSE_MS = 60_000
const MOST_PENDING = 20_000
const BATCH = 500

export class SessionUse {
  readonly #storage: Storage
  readonly #clock: Clock
  #pending = new Map<string, UseRow>()
  readonly #flush: RegularFlush

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
    this.#flush = new RegularFlush(() => this.#write(), FLUSH_MS)
  }

  start(): void {
    this.#flush.start()
  }

  stop(): Promise<void> {
    return this.#flush.stop()
  }

  /** Beyond the bound, sessions are not noted until the next flush. */
  note(session: Session, ip: string): void {
    const network = coarseNetwork(ip)
    const atMs = this.#clock.nowMs()
    if (atMs - session.lastUsedAtMs < COARSE_MS && network === session.lastUsedNetwork) return
    if (this.#pending.has(session.id) || this.#pending.size < MOST_PENDING)
      this.#pending.set(session.id, { id: session.id, atMs, network })
  }

  flush(): Promise<void> {
    return this.#flush.now()
  }

  async #write(): Promise<void> {
    const uses = [...this.#pending.values()]
    this.#pending = new Map()
    try {
      await inBatches(uses, BATCH, (batch) => this.#storage.write((tx) => saveUses(tx, batch)))
    } catch (error) {
      // While the database is away these are lost: a last use is not worth memory without bound.
      if (!(error instanceof StorageUnavailable)) throw error
    }
  }
}
