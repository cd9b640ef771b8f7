/** Composition of the OAuth server: people, clients' artifacts, the engine and its routes. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { ActivityLog } from './audit/index.ts'
import { Artifacts } from './clients/index.ts'
import type { Config } from './config.ts'
import type { Clock } from './kernel/index.ts'
import {
  createIdentity,
  currentSession,
  findLiveSession,
  findUser,
  type IdentityContext,
  pageRoutes,
  purgeIdentity,
  SIGN_IN_RATES,
  signOut,
  tenantsOf,
  userPartsRoutes,
  userRoutes,
} from './identity/index.ts'
import { TokenBuckets } from './limits/index.ts'
import {
  type Credentials,
  interactionRoutes,
  LazyEngine,
  type OAuthPorts,
  oauthRoutes,
  type People,
} from './oauth/index.ts'
import type { Changes } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'
import { findPresentedToken, type TokenPorts, verifyAccessToken } from './tokens/index.ts'
import type { Tokens } from './token-parts.ts'
import type { Verifier } from './verify/index.ts'

export interface OAuthParts {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly rootSecret: string
  readonly storage: Storage
  readonly changes: Changes
  readonly activity: ActivityLog
  readonly verifier: Verifier
  readonly tokens: Tokens
  readonly idempotency: Idempotency
  readonly server: FastifyInstance
}

export interface OAuth {
  readonly engine: LazyEngine
  readonly artifacts: Artifacts
  readonly identity: IdentityContext
  /** Sweeps what has expired: for upkeep. */
  tend(): Promise<void>
  close(): Promise<void>
}

export function openOAuth(parts: OAuthParts): OAuth {
  const { config, clock, logger, rootSecret, storage, changes } = parts
  const { activity, verifier, tokens, server, idempotency } = parts
  const { issuer } = config
  const identity = createIdentity({
    storage,
    changes,
    activity,
    issuer,
    rootSecret,
    throttles: {
      account: new TokenBuckets(SIGN_IN_RATES.account, clock),
      network: new TokenBuckets(SIGN_IN_RATES.network, clock),
    },
  })
  const artifacts = new Artifacts(storage, changes, rootSecret)
  const ports: OAuthPorts = {
    issuer,
    rootSecret,
    storage,
    clock,
    changes,
    activity,
    artifacts,
    signingKeys: tokens.signingKeys,
    credentials: credentialsOf(verifier, tokens.ports),
    people: peopleOf(identity),
    logger,
    allowLoopback: tokens.allowLoopback,
  }
  const engine = new LazyEngine(ports)
  oauthRoutes(server, engine, ports)
  interactionRoutes(server, engine, { ...ports, identity })
  pageRoutes(server, identity)
  userRoutes(server, identity, idempotency)
  userPartsRoutes(server, identity)
  identity.sessionUse.start()
  return {
    engine,
    artifacts,
    identity,
    async tend() {
      await artifacts.purge()
      await purgeIdentity(storage, clock)
    },
    async close() {
      await identity.sessionUse.stop()
      await engine.close()
    },
  }
}

function peopleOf(identity: IdentityContext): People {
  const { storage, changes } = identity
  return {
    currentSession: (request) => currentSession(identity, request),
    async signOut(request) {
      await signOut(identity, request)
    },
    findSession: (id) => findLiveSession(storage, id, changes.clock.nowMs()),
    findUser: (id) => findUser(storage, id),
    tenantsOf: (userId) => tenantsOf(storage, userId),
  }
}

function credentialsOf(verifier: Verifier, tokenPorts: TokenPorts): Credentials {
  return {
    async apiKey(credential, ip, resource) {
      const decision = await verifier.verifyFresh({
        credential,
        resource,
        scopes: [],
        ip,
        environment: 'any',
        reach: { tenant: null, resources: null },
      })
      const { denial, presented } = decision
      if (denial) return denial
      if (!presented) throw new Error('A valid decision names what was presented.')
      return presented
    },
    async accessToken(text) {
      const presented = await findPresentedToken(tokenPorts, text)
      if ('valid' in presented) return presented
      const { issuer, clock, signingKeys } = tokenPorts
      const verified = verifyAccessToken(text, signingKeys, { issuer, nowMs: clock.nowMs() })
      if (!verified.valid) return verified
      if (presented.revoked)
        return { valid: false, code: 'revoked', detail: 'The credential has been revoked.' }
      if (presented.disabled) return { valid: false, code: 'disabled', detail: 'The credential is disabled.' }
      return { claims: verified.claims, presented }
    },
  }
}
