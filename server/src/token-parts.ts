/** Composition of tokens: the signing keys, the issuers besides ourselves, and how a presented token is found. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type Config, isLoopbackIssuer } from './config.ts'
import type { Clock } from './kernel/index.ts'
import type { Changes, FeedReader } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'
import {
  KeySealer,
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
}

export interface Tokens {
  readonly ports: TokenPorts
  readonly signingKeys: SigningKeys
  readonly keyPorts: SigningKeyPorts
  /** Where the deployment itself is on loopback, others on loopback are asked too. */
  readonly allowLoopback: boolean
  mount(server: FastifyInstance, idempotency: Idempotency): void
  /** The due steps of the signing keys: for upkeep. */
  tend(): Promise<void>
  close(): void
}

export async function openTokens(parts: TokenParts): Promise<Tokens> {
  const { config, clock, logger, rootSecret, storage, changes, feed } = parts
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
      issuer,
      onPositionAhead: (seen) =>
        logger.error(seen, 'A token claims a position that was never reached: is its signing key stolen?'),
    },
    signingKeys,
    keyPorts,
    allowLoopback,
    mount(server, idempotency) {
      signingKeyRoutes(server, { ...keyPorts, signingKeys })
      trustedIssuerRoutes(server, { storage, changes, idempotency, ownIssuer: issuer, allowLoopback })
    },
    async tend() {
      await tendSigningKeys(keyPorts)
    },
    close() {
      for (const stop of stops) stop()
    },
  }
}
