/**
 * Last use of sessions: noted in memory, at most once a minute for each, and written in batches. No page waits for it;
 * a crash loses seconds of it.
 */
import { type Clock, coarseNetwork } from '../kernel/index.ts'
import { type Storage, StorageUnavailable } from '../storage/index.ts'
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
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> | undefined

  constructor(storage: Storage, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
  }

  start(): void {
    this.#timer = setInterval(() => void this.flush().catch(() => {}), FLUSH_MS).unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush().catch(() => {})
  }

  /** Beyond the bound, sessions are not noted until the next flush. */
  note(session: Session, ip: string): void {
    const network = coarseNetwork(ip)
    const atMs = this.#clock.nowMs()
    if (atMs - session.lastUsedAtMs < COARSE_MS && network === session.lastUsedNetwork) return
    if (this.#pending.has(session.id) || this.#pending.size < MOST_PENDING)
      this.#pending.set(session.id, { id: session.id, atMs, network })
  }

  async flush(): Promise<void> {
    await this.#flushing
    const uses = [...this.#pending.values()]
    if (uses.length === 0) return
    this.#pending = new Map()
    this.#flushing = this.#write(uses).finally(() => (this.#flushing = undefined))
    await this.#flushing
  }

  async #write(uses: readonly UseRow[]): Promise<void> {
    try {
      for (let at = 0; at < uses.length; at += BATCH) {
        const batch = uses.slice(at, at + BATCH)
        await this.#storage.write((tx) => saveUses(tx, batch))
      }
    } catch (error) {
      // While the database is away these are lost: a last use is not worth memory without bound.
      if (!(error instanceof StorageUnavailable)) throw error
    }
  }
}
