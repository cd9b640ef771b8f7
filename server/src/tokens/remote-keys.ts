/**
 * The public keys of one trusted issuer, kept and fetched again in time. A key that is not known costs one fetch a
 * cooldown, whoever invents it; keys that cannot be fetched again are used for a day and no longer.
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock, DenialCode } from '../kernel/index.ts'
import type { JwsHeader } from './compact-jws.ts'
import { algorithmsOf, type JwsAlgorithm } from './jws-signature.ts'
import type { TrustedIssuer } from './trusted-issuer.ts'

export interface RemoteKey {
  readonly alg: JwsAlgorithm
  readonly publicKey: KeyObject
}

export interface RemoteKeysPorts {
  readonly clock: Clock
  fetchJson(url: string): Promise<unknown>
  /** A fetch failed: the keys are as old as they were. */
  onFailure(issuer: TrustedIssuer, error: unknown): void
}

interface KnownKey {
  readonly kid: string | undefined
  readonly publicKey: KeyObject
  readonly algorithms: readonly JwsAlgorithm[]
}

const FRESH_MS = 600_000
const COOLDOWN_MS = 30_000
const LONGEST_MS = 86_400_000
const MOST_KEYS = 100

export class RemoteKeys {
  readonly #issuer: TrustedIssuer
  readonly #ports: RemoteKeysPorts
  #keys: readonly KnownKey[] = []
  #fetchedAtMs = Number.NEGATIVE_INFINITY
  #triedAtMs = Number.NEGATIVE_INFINITY
  #fetching: Promise<void> | undefined

  constructor(issuer: TrustedIssuer, ports: RemoteKeysPorts) {
    this.#issuer = issuer
    this.#ports = ports
  }

  /** The one key and algorithm that a token with this header may have been signed with. */
  async keyFor(header: JwsHeader): Promise<RemoteKey | DenialCode> {
    const { algorithms } = this.#issuer
    // The agreement names the algorithms; the token can only choose one that its key has as well.
    const alg = algorithms.find((allowed) => allowed === header.alg)
    if (!alg) return 'malformed'
    if (this.#ageMs() > FRESH_MS) await this.#fetch()
    let key = this.#find(header, alg)
    if (!key && (await this.#fetch())) key = this.#find(header, alg)
    if (this.#ageMs() > LONGEST_MS) return 'unavailable'
    return key ? { alg, publicKey: key.publicKey } : 'unknown'
  }

  /** Without a `kid`, only where there is a single key that it can be. */
  #find({ kid }: JwsHeader, alg: JwsAlgorithm): KnownKey | undefined {
    const able = this.#keys.filter((key) => key.algorithms.includes(alg))
    const fitting = kid === undefined ? able : able.filter((key) => key.kid === kid)
    return fitting.length === 1 ? fitting[0] : undefined
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
      this.#fetching = this.#read().finally(() => (this.#fetching = undefined))
    }
    await this.#fetching
    return true
  }

  async #read(): Promise<void> {
    try {
      const startedMs = this.#ports.clock.monotonicMs()
      this.#keys = keysOf(await this.#ports.fetchJson(await this.#jwksUri()))
      this.#fetchedAtMs = startedMs
    } catch (error) {
      this.#ports.onFailure(this.#issuer, error)
    }
  }

  /** OpenID Connect Discovery, section 4.3: metadata that names another issuer is not this one's. */
  async #jwksUri(): Promise<string> {
    const { issuer, jwksUri } = this.#issuer
    if (jwksUri !== null) return jwksUri
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
    const metadata = (await this.#ports.fetchJson(url)) as Record<string, unknown> | null
    if (metadata?.['issuer'] !== issuer || typeof metadata['jwks_uri'] !== 'string')
      throw new Error(`The metadata at ${url} does not name this issuer and a jwks_uri.`)
    return metadata['jwks_uri']
  }
}

/** RFC 7517, section 5: what cannot be used is passed over. Secrets are never imported, and neither are private keys. */
function keysOf(jwks: unknown): KnownKey[] {
  const keys = (jwks as { keys?: unknown } | null)?.keys
  if (!Array.isArray(keys)) throw new Error('A JWKS has a list of keys.')
  return keys.slice(0, MOST_KEYS).flatMap((jwk: unknown) => importKey(jwk) ?? [])
}

function importKey(value: unknown): KnownKey | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const jwk = value as Record<string, unknown>
  const { kid, use, alg } = jwk
  if ('d' in jwk || 'k' in jwk || (use !== undefined && use !== 'sig')) return undefined
  if (kid !== undefined && typeof kid !== 'string') return undefined
  try {
    const publicKey = createPublicKey({ key: jwk as Record<string, string>, format: 'jwk' })
    const algorithms = algorithmsOf(publicKey).filter((able) => alg === undefined || alg === able)
    return algorithms.length > 0 ? { kid, publicKey, algorithms } : undefined
  } catch {
    return undefined
  }
}
