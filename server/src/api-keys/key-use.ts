/**
 * Last use of keys: noted in memory after the reply, written in batches. A verify never waits for it, and what a crash
 * loses is at most the last seconds of it.
 */
import { type Clock, coarseNetwork } from '../kernel/index.ts'
import { inBatches, RegularFlush, type Storage, StorageUnavailable } from '../storage/index.ts'
import { addUses, type NewNetwork, type UseRow } from './key-use-store.ts'
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
  readonly #onNewNetwork: (use: NewNetwork) => void
  #uses = new Map<string, UseRow>()
  #rehashes = new Map<string, Rehash>()
  readonly #flush: RegularFlush

  /** `onNewNetwork` is told when a key that has been used comes from a network that it was not used from before. */
  constructor(storage: Storage, clock: Clock, onNewNetwork: (use: NewNetwork) => void = () => {}) {
    this.#storage = storage
    this.#clock = clock
    this.#onNewNetwork = onNewNetwork
    this.#flush = new RegularFlush(() => this.#write(), FLUSH_MS)
  }

  start(): void {
    this.#flush.start()
  }

  stop(): Promise<void> {
    return this.#flush.stop()
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

  flush(): Promise<void> {
    return this.#flush.now()
  }

  async #write(): Promise<void> {
    const uses = [...this.#uses.values()]
    const rehashes = [...this.#rehashes]
    this.#uses = new Map()
    this.#rehashes = new Map()
    try {
      await inBatches(uses, BATCH, async (batch) => {
        for (const use of await this.#storage.write((tx) => addUses(tx, batch))) this.#onNewNetwork(use)
      })
      await inBatches(rehashes, BATCH, (batch) =>
        this.#storage.write(async (tx) => {
          for (const [id, { from, to }] of batch) await saveHash(tx, id, from, to)
        }),
      )
    } catch (error) {
      // While the database is away these are lost: a last use is not worth memory without bound.
      if (!(error instanceof StorageUnavailable)) throw error
    }
  }
}
