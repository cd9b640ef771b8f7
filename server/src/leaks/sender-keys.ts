/**
 * The public keys with which a scanner signs its reports, kept and fetched again in time. A key that is not known costs
 * one fetch a cooldown, whoever invents it; while they cannot be fetched, the keys known are used for a week.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock } from '../kernel/index.ts'
import { fetchGuarded, type FetchGuard, FetchRefused } from '../tokens/index.ts'

export interface SenderKeysPorts {
  readonly clock: Clock
  readonly guard: FetchGuard
  /** A fetch failed: the keys are as old as they were. */
  onFailure(url: string, error: unknown): void
}

const FRESH_MS = 3_600_000
const COOLDOWN_MS = 30_000
const LONGEST_MS = 7 * 86_400_000
const MOST_KEYS = 100

export class SenderKeys {
  readonly #url: string
  readonly #ports: SenderKeysPorts
  #keys: ReadonlyMap<string, KeyObject> = new Map()
  #etag: string | undefined
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #triedAtMs = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(url: string, ports: SenderKeysPorts) {
    this.#url = url
    this.#ports = ports
  }

  /** `unknown`: nobody's key; `unavailable`: nothing young enough is known to tell. */
  async keyFor(identifier: string): Promise<KeyObject | 'unknown' | 'unavailable'> {
    if (this.#ageMs() > FRESH_MS) await this.#fetch()
    let key = this.#keys.get(identifier)
    if (!key && (await this.#fetch())) key = this.#keys.get(identifier)
    if (this.#ageMs() > LONGEST_MS) return 'unavailable'
    return key ?? 'unknown'
  }

  #ageMs(): number {
    return this.#ports.clock.monotonicMs() - this.#fetchedAtMs
  }

  /** False when it was tried too lately to try again. */
  async #fetch(): Promise<boolean> {
    const nowMs = this.#ports.clock.monotonicMs()
    if (!this.#fetching) {
      if (nowMs - this.#triedAtMs < COOLDOWN_MS) return false
      this.#triedAtMs = nowMs
      this.#fetching = this.#read(nowMs).finally(() => (this.#fetching = undefined))
    }
    await this.#fetching
    return true
  }

  async #read(startedMs: number): Promise<void> {
    try {
      const { status, headers, text } = await fetchGuarded(this.#url, this.#ports.guard, {
        headers: {
          accept: 'application/json',
          // A conditional request is not counted by those who limit how often they are asked.
          ...(this.#etag !== undefined && { 'if-none-match': this.#etag }),
        },
      })
      if (status !== 304) {
        if (status !== 200) throw new FetchRefused(`${this.#url} answered ${status}.`)
        this.#keys = keysOf(JSON.parse(text))
        this.#etag = headers.etag
      }
      this.#fetchedAtMs = startedMs
    } catch (error) {
      this.#ports.onFailure(this.#url, error)
    }
  }
}

/** Only keys on P-256 count: the signature is of that kind and no other. Keys that were replaced stay in the list. */
function keysOf(document: unknown): Map<string, KeyObject> {
  const list = (document as { public_keys?: unknown } | null)?.public_keys
  if (!Array.isArray(list)) throw new FetchRefused('There is no list of public_keys.')
  const keys = new Map<string, KeyObject>()
  for (const entry of list.slice(0, MOST_KEYS)) {
    const { key_identifier: identifier, key: pem } = (entry ?? {}) as Record<string, unknown>
    if (typeof identifier !== 'string' || typeof pem !== 'string' || !pem.includes('BEGIN PUBLIC KEY'))
      continue
    try {
      const key = createPublicKey(pem)
      if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') keys.set(identifier, key)
    } catch {
      // One that cannot be read is not one of theirs.
    }
  }
  return keys
}
