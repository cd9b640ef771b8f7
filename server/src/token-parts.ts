/** Composition of tokens: the signing keys, the issuers besides ourselves, and how a presented token is found. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type Config, isLoopbackIssuer } from './config.ts'
import type { Clock } from './kernel/index.ts'
import type { Changes, FeedReader } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'
import {
  ensureSigningKey,
  KeySealer,
  type SigningAlgorithm,
  type SigningKeyPorts,
  signingKeyRoutes,
  SigningKeys,
  tendSigningKeys,
  type TokenPorts,
  trustedIssuerRoutes,
  TrustedIssuers,
} from './tokens/index.ts'

export interface TokenParts {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly rootSecret: string
  readonly storage: Storage
  readonly changes: Changes
  readonly feed: FeedReader
  readonly storedClaims: TokenPorts['storedClaims']
}

export interface Tokens {
  readonly ports: TokenPorts
  readonly signingKeys: SigningKeys
  readonly keyPorts: SigningKeyPorts
  /** Where the deployment itself is on loopback, others on loopback are asked too. */
  readonly allowLoopback: boolean
  mount(server: FastifyInstance, idempotency: Idempotency): void
  /** Makes the first key of each of these algorithms that has none. */
  ensure(algorithms: readonly SigningAlgorithm[]): Promise<void>
  /** The due steps of the signing keys: for upkeep. */
  tend(): Promise<void>
  close(): void
}

export async function openTokens(parts: TokenParts): Promise<Tokens> {
  const { config, clock, logger, rootSecret, storage, changes, feed, storedClaims } = parts
  const { issuer } = config
  const allowLoopback = isLoopbackIssuer(issuer)
  const keyPorts = { storage, changes, sealer: new KeySealer(rootSecret) }
  await tendSigningKeys(keyPorts)
  const signingKeys = new SigningKeys(storage, rootSecret, clock)
  const trustedIssuers = new TrustedIssuers({
    storage,
    clock,
    guard: { allowLoopback },
    onFailure: (trusted, error) => logger.warn({ err: error, trusted }, 'a trusted issuer cannot be read'),
  })
  await Promise.all([signingKeys.load(), trustedIssuers.load()])
  const stops = [signingKeys.follow(feed), trustedIssuers.follow(feed)]
  return {
    ports: {
      storage,
      clock,
      signingKeys,
      trustedIssuers,
      storedClaims,
      issuer,
      onPositionAhead: (seen) =>
        logger.error(seen, 'A token claims a position that was never reached: is its signing key stolen?'),
    },
    signingKeys,
    keyPorts,
    allowLoopback,
    mount(server, idempotency) {
      signingKeyRoutes(server, { ...keyPorts, signingKeys, issuer })
      trustedIssuerRoutes(server, { storage, changes, idempotency, ownIssuer: issuer, allowLoopback })
    },
    async ensure(algorithms) {
      const missing = algorithms.filter((algorithm) => !signingKeys.hasActive(algorithm))
      for (const algorithm of missing) await ensureSigningKey(keyPorts, algorithm)
      if (missing.length > 0) await signingKeys.refresh()
    },
    async tend() {
      await tendSigningKeys(keyPorts)
    },
    close() {
      for (const stop of stops) stop()
    },
  }
}
