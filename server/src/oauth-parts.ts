/** Composition of the OAuth server: people, clients' artifacts, the engine and its routes. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { ActivityLog } from './audit/index.ts'
import { Artifacts, ID_TOKEN_ALGORITHMS } from './clients/index.ts'
import { type Config, isLoopbackIssuer } from './config.ts'
import type { Clock } from './kernel/index.ts'
import {
  accountRoutes,
  createIdentity,
  currentSession,
  findLiveSession,
  findUser,
  type IdentityContext,
  membershipOf,
  pageRoutes,
  providerRoutes,
  purgeIdentity,
  roleRoutes,
  scopesOfRoles,
  SIGN_IN_RATES,
  signOut,
  tenantsOf,
  userPartsRoutes,
  userRoutes,
} from './identity/index.ts'
import { type OpenedLimits, TokenBuckets } from './limits/index.ts'
import { Mailer, outboxRoutes, smtpTransport } from './mail/index.ts'
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
import { findOwnToken, type TokenPorts } from './tokens/index.ts'
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
  readonly limits: Pick<OpenedLimits, 'isLimited'>
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
  const { activity, verifier, limits, tokens, server, idempotency } = parts
  const { issuer } = config
  const mailer = openMailer(parts)
  const identity = createIdentity({
    post: mailer,
    signUp: config.signUp,
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
    dynamicRegistration: config.dynamicRegistration,
    rootSecret,
    storage,
    clock,
    changes,
    activity,
    artifacts,
    signingKeys: tokens.signingKeys,
    ensureSigningKeys: () => tokens.ensure(ID_TOKEN_ALGORITHMS),
    credentials: credentialsOf(verifier, tokens.ports),
    people: peopleOf(identity),
    isLimited: (rsn, charged) => limits.isLimited(rsn, charged),
    logger,
    allowLoopback: tokens.allowLoopback,
  }
  const engine = new LazyEngine(ports)
  oauthRoutes(server, engine, ports)
  interactionRoutes(server, engine, { ...ports, identity })
  pageRoutes(server, identity)
  accountRoutes(server, identity)
  userRoutes(server, identity, idempotency)
  userPartsRoutes(server, identity)
  roleRoutes(server, identity)
  providerRoutes(server, identity, idempotency)
  if (mailer) outboxRoutes(server, mailer)
  identity.sessionUse.start()
  mailer?.start()
  return {
    engine,
    artifacts,
    identity,
    async tend() {
      await artifacts.purge()
      await purgeIdentity(storage, clock)
      await mailer?.purge()
    },
    async close() {
      await identity.afterwards.settled()
      await mailer?.stop()
      await identity.sessionUse.stop()
      await engine.close()
    },
  }
}

/** Undefined where no e-mail reaches anybody: neither a server sends it, nor is this a developer's own machine. */
function openMailer({ config, clock, storage, rootSecret, logger }: OAuthParts): Mailer | undefined {
  const { smtpUrl, mailFrom, issuer } = config
  if (smtpUrl === undefined && !isLoopbackIssuer(issuer)) return undefined
  return new Mailer({
    storage,
    clock,
    rootSecret,
    transport: smtpUrl === undefined ? undefined : smtpTransport(smtpUrl, mailFrom ?? ''),
    onFailure: (error) => logger.warn({ err: error }, 'an e-mail could not be sent; it is tried again'),
  })
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
    membershipOf: (userId, tenantId) => membershipOf(storage, userId, tenantId),
    scopesOfRoles: (roles, resourceId) => scopesOfRoles(storage, roles, resourceId),
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
      const found = await findOwnToken(tokenPorts, text)
      if ('valid' in found) return found
      const { presented } = found
      if (presented.revoked)
        return { valid: false, code: 'revoked', detail: 'The credential has been revoked.' }
      if (presented.disabled) return { valid: false, code: 'disabled', detail: 'The credential is disabled.' }
      if (presented.expiresAtMs !== null && presented.expiresAtMs <= tokenPorts.clock.nowMs())
        return { valid: false, code: 'expired', detail: 'The credential has expired.' }
      return found
    },
  }
}
