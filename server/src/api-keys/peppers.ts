/**
 * The peppers: server-side secrets that every stored hash depends on, sealed at rest under the root secret, by version.
 * Rotation adds a version; keys move to it as they are used, and nothing stops working meanwhile.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { deriveKey, open, seal } from '../kernel/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import {
  insertPepper,
  newestVersion,
  type PepperRow,
  selectPeppers,
  selectPeppersIn,
  updatePepper,
} from './pepper-store.ts'

export interface PepperedHash {
  readonly hash: string
  readonly pepperVersion: number
}

export class Peppers {
  readonly #sealingKey: Buffer
  #byVersion = new Map<number, Buffer>()
  #current = 0

  constructor(rootSecret: string) {
    this.#sealingKey = sealingKey(rootSecret)
  }

  /** Reads all versions. Throws when the root secret is not the one they were sealed under. */
  async load(storage: Storage): Promise<void> {
    this.#adopt(await selectPeppers(storage))
  }

  /** Reads them again when another node has rotated since; answers whether it had. */
  async refresh(storage: Storage): Promise<boolean> {
    if ((await newestVersion(storage)) <= this.#current) return false
    await this.load(storage)
    return true
  }

  /** The first version of a new deployment, usable in the same transaction: nobody else uses these peppers yet. */
  async createFirst(tx: Transaction, nowMs: number): Promise<void> {
    const row = this.#sealNew(1, nowMs)
    await insertPepper(tx, row)
    this.#adopt([row])
  }

  /** Adds a version and makes it the one for new hashes, once the transaction has committed and `load` ran again. */
  async add(tx: Transaction, nowMs: number): Promise<number> {
    const version = this.#current + 1
    await insertPepper(tx, this.#sealNew(version, nowMs))
    return version
  }

  get current(): number {
    return this.#current
  }

  has(version: number): boolean {
    return this.#byVersion.has(version)
  }

  /** The hash to store for a key, or for an imported key's digest. */
  hash(text: string): PepperedHash {
    return { hash: this.#hmac(this.#current, text), pepperVersion: this.#current }
  }

  /** One hash a version: what an imported key may be stored under. */
  allHashes(text: string): PepperedHash[] {
    return [...this.#byVersion.keys()].map((pepperVersion) => ({
      hash: this.#hmac(pepperVersion, text),
      pepperVersion,
    }))
  }

  /** Compares in constant time. False for a version that is not known. */
  matches(text: string, stored: PepperedHash): boolean {
    const known = this.#byVersion.has(stored.pepperVersion)
    const computed = this.#hmac(known ? stored.pepperVersion : this.#current, text)
    const equal =
      computed.length === stored.hash.length &&
      timingSafeEqual(Buffer.from(computed), Buffer.from(stored.hash))
    return known && equal
  }

  #hmac(version: number, text: string): string {
    const pepper = this.#byVersion.get(version)
    if (!pepper) throw new Error('The peppers have not been loaded.')
    return createHmac('sha256', pepper).update(text).digest('base64url')
  }

  #sealNew(version: number, nowMs: number): PepperRow {
    const sealed = seal(this.#sealingKey, randomBytes(32), `pepper ${version}`)
    return { version, sealed, state: 'active', created_at: nowMs }
  }

  #adopt(rows: readonly PepperRow[]): void {
    this.#byVersion = new Map(
      rows.map(({ version, sealed }) => [version, open(this.#sealingKey, sealed, `pepper ${version}`)]),
    )
    this.#current = Math.max(0, ...this.#byVersion.keys())
  }
}

/** Seals every version anew, under another root secret: offline, in the transaction that changes the secret. */
export async function resealPeppers(tx: Transaction, oldSecret: string, newSecret: string): Promise<number> {
  const [before, after] = [sealingKey(oldSecret), sealingKey(newSecret)]
  const peppers = await selectPeppersIn(tx)
  for (const { version, sealed } of peppers) {
    const context = `pepper ${version}`
    await updatePepper(tx, version, seal(after, open(before, sealed, context), context))
  }
  return peppers.length
}

function sealingKey(rootSecret: string): Buffer {
  return deriveKey(rootSecret, 'pepper sealing')
}
