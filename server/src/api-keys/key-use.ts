/**
 * Last use of keys: noted in memory after the reply, written in batches. A verify never waits for it, and what a crash
 * loses is at most the last seconds of it.
 */
import { type Clock, coarseNetwork } from '../kernel/index.ts'
import { type Storage, StorageUnavailable } from '../storage/index.ts'
import { addUses, type UseRow } from './key-use-store.ts'
import { saveHash } from './store.ts'

const FLUSH_MS = 1_000
const MOST_PENDING = 50_000
const BATCH = 500

interface Rehash {
  readonly from: number
  readonly to: { readonly hash: string; readonly pepperVersion: number }
}

export class KeyUse {
  readonly #storage: Storage
  readonly #clock: Clock
  #uses = new Map<string, UseRow>()
  #rehashes = new Map<string, Rehash>()
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

  /** Beyond the bound new (key, network) pairs are not noted until the next flush. */
  note(keyId: string, ip: string | undefined): void {
    const network = ip === undefined ? 'unknown' : coarseNetwork(ip)
    const pair = `${keyId} ${network}`
    const known = this.#uses.get(pair)
    const now = this.#clock.nowMs()
    if (known) {
      known.uses++
      known.lastSeenMs = now
    } else if (this.#uses.size < MOST_PENDING)
      this.#uses.set(pair, { keyId, network, firstSeenMs: now, lastSeenMs: now, uses: 1 })
  }

  /** Moves a key to the current pepper, some time after the reply. */
  rehash(keyId: string, from: number, to: Rehash['to']): void {
    if (this.#rehashes.size < MOST_PENDING) this.#rehashes.set(keyId, { from, to })
  }

  async flush(): Promise<void> {
    await this.#flushing
    const uses = [...this.#uses.values()]
    const rehashes = [...this.#rehashes]
    if (uses.length === 0 && rehashes.length === 0) return
    this.#uses = new Map()
    this.#rehashes = new Map()
    this.#flushing = this.#write(uses, rehashes).finally(() => (this.#flushing = undefined))
    await this.#flushing
  }

  async #write(uses: UseRow[], rehashes: [string, Rehash][]): Promise<void> {
    try {
      for (let at = 0; at < uses.length; at += BATCH) {
        const batch = uses.slice(at, at + BATCH)
        await this.#storage.write((tx) => addUses(tx, batch))
      }
      for (let at = 0; at < rehashes.length; at += BATCH) {
        const batch = rehashes.slice(at, at + BATCH)
        await this.#storage.write(async (tx) => {
          for (const [id, { from, to }] of batch) await saveHash(tx, id, from, to)
        })
      }
    } catch (error) {
      // While the database is away these are lost: a last use is not worth memory without bound.
      if (!(error instanceof StorageUnavailable)) throw error
    }
  }
}
