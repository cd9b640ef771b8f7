/**
 * One process's view of the signing keys: opened once, held as KeyObjects, read again when the feed tells of a change,
 * when a token names a key that is not known, and every half minute in any case.
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock } from '../kernel/index.ts'
import type { FeedReader } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { KeySealer } from './key-sealer.ts'
import type { PublicJwk, SigningAlgorithm, SigningKeyState } from './signing-key.ts'
import { selectLivingKeys, type StoredSigningKey } from './signing-key-store.ts'

export interface ActiveKey {
  readonly kid: string
  readonly alg: SigningAlgorithm
  readonly privateKey: KeyObject
}

export interface VerificationKey {
  readonly alg: SigningAlgorithm
  readonly publicKey: KeyObject
  readonly state: SigningKeyState
}

/** All that verifying asks of the keys. */
export interface VerificationKeys {
  verificationKey(kid: string): VerificationKey | undefined
}

export interface Jwks {
  readonly body: string
  readonly etag: string
}

/** A JWK with its private members: for a library that signs by itself. Never logged, never sent. */
export type PrivateJwk = Readonly<Record<string, string>>

interface HeldKey extends VerificationKey {
  readonly kid: string
  readonly publicJwk: PublicJwk
  readonly privateKey: KeyObject | undefined
}

const POLL_MS = 30_000
/** An unknown kid costs one read for all of them together: whoever invents kids buys nothing. */
const UNKNOWN_COOLDOWN_MS = 1_000

export class SigningKeys implements VerificationKeys {
  readonly #storage: Storage
  readonly #clock: Clock
  readonly #sealer: KeySealer
  readonly #listeners = new Set<() => void>()
  #keys = new Map<string, HeldKey>()
  #active = new Map<SigningAlgorithm, ActiveKey>()
  #jwks: Jwks = toJwks([])
  #refreshing: Promise<void> | undefined
  #again = false
  #soughtAtMs = Number.NEGATIVE_INFINITY

  constructor(storage: Storage, rootSecret: string, clock: Clock) {
    this.#storage = storage
    this.#clock = clock
    this.#sealer = new KeySealer(rootSecret)
  }

  /** Reads the keys. Throws when the database cannot be read or the root secret is not theirs. */
  async load(): Promise<void> {
    this.#adopt(await selectLivingKeys(this.#storage))
  }

  /** Stays current until the answer is called. */
  follow(feed: FeedReader): () => void {
    const refresh = (): void => void this.refresh()
    const poll = setInterval(refresh, POLL_MS).unref()
    const stops = [
      feed.onRows((rows) => {
        if (rows.some((row) => row.kind === 'signing_key')) refresh()
      }),
      feed.onReset(refresh),
      () => clearInterval(poll),
    ]
    return () => {
      for (const stop of stops) stop()
    }
  }

  /** The key that signs. Throws when the algorithm has none yet: see `ensureSigningKey`. */
  active(alg: SigningAlgorithm): ActiveKey {
    const key = this.#active.get(alg)
    if (!key) throw new Error(`There is no active ${alg} key: ensureSigningKey() makes one.`)
    return key
  }

  hasActive(alg: SigningAlgorithm): boolean {
    return this.#active.has(alg)
  }

  verificationKey(kid: string): VerificationKey | undefined {
    return this.#keys.get(kid)
  }

  /** The public JWKS (RFC 7517, section 5), as text. */
  jwks(): Jwks {
    return this.#jwks
  }

  publicJwks(): { keys: PublicJwk[] } {
    return JSON.parse(this.#jwks.body) as { keys: PublicJwk[] }
  }

  /** Keys with their private members: the active ones first, then the retiring ones. */
  privateJwks(): PrivateJwk[] {
    const held = [...this.#keys.values()].filter(({ privateKey }) => privateKey !== undefined)
    return (['active', 'retiring'] as const).flatMap((state) =>
      held
        .filter((key) => key.state === state)
        .map(({ privateKey, kid, alg }) => ({
          ...(privateKey?.export({ format: 'jwk' }) as Record<string, string>),
          kid,
          alg,
          use: 'sig',
        })),
    )
  }

  /** Called after a reading that found other keys or states than the one before. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Reads again; a call during a reading waits for one that begins after it. Never rejects: the next poll tries too. */
  refresh(): Promise<void> {
    if (this.#refreshing) this.#again = true
    else this.#refreshing = this.#refresh()
    return this.#refreshing
  }

  /** For a token whose kid is not known. True when the keys were read because of it, or are being read. */
  async refreshForUnknown(): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs()
    if (!this.#refreshing && nowMs - this.#soughtAtMs < UNKNOWN_COOLDOWN_MS) return false
    this.#soughtAtMs = nowMs
    await this.refresh()
    return true
  }

  async #refresh(): Promise<void> {
    do {
      this.#again = false
      try {
        await this.load()
      } catch {
        // What is known stays; a revoked key is refused by the read that every first sight makes.
        this.#again = false
      }
    } while (this.#again)
    this.#refreshing = undefined
  }

  #adopt(stored: readonly StoredSigningKey[]): void {
    const before = stateOf(this.#keys)
    this.#keys = new Map(stored.map((row) => [row.key.kid, this.#hold(row)]))
    this.#active = new Map()
    for (const { kid, alg, state, privateKey } of this.#keys.values())
      if (state === 'active' && privateKey) this.#active.set(alg, { kid, alg, privateKey })
    this.#jwks = toJwks(stored.map(({ key }) => key.publicJwk))
    if (stateOf(this.#keys) !== before) for (const listener of this.#listeners) listener()
  }

  /** A key never changes, only its state: KeyObjects are made once. */
  #hold({ key, sealedPrivate }: StoredSigningKey): HeldKey {
    const known = this.#keys.get(key.kid)
    return {
      kid: key.kid,
      alg: key.algorithm,
      state: key.state,
      publicJwk: key.publicJwk,
      publicKey: known?.publicKey ?? createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' }),
      privateKey:
        known?.privateKey ??
        (sealedPrivate === null ? undefined : this.#sealer.openKey(key.kid, sealedPrivate)),
    }
  }
}

function stateOf(keys: ReadonlyMap<string, HeldKey>): string {
  return [...keys.values()].map(({ kid, state }) => `${kid}:${state}`).join()
}

function toJwks(keys: readonly PublicJwk[]): Jwks {
  const body = JSON.stringify({ keys })
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}
