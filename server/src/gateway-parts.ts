/** Composition of the gateway: its routes, its proxies' proof, host sessions, and the endpoint itself. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Config } from './config.ts'
import {
  type AppSessions,
  BrowserHosts,
  browserRoutes,
  Gateway,
  gatewayRoutes,
  IdentityHeaders,
  LiveRoutes,
  ProxyProof,
  purgeAppSessions,
  readRoutesFile,
} from './gateway/index.ts'
import { answerFirst } from './http/index.ts'
import type { IdentityContext } from './identity/index.ts'
import type { Clock } from './kernel/index.ts'
import type { Changes, FeedReader } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'
import type { Tokens } from './token-parts.ts'
import type { DecisionMeter, Verifier } from './verify/index.ts'

export interface GatewayParts {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly storage: Storage
  readonly changes: Changes
  readonly feed: FeedReader
  readonly verifier: Verifier
  readonly meter: DecisionMeter
  readonly tokens: Tokens
  readonly identity: IdentityContext
  readonly sessions: AppSessions
  readonly idempotency: Idempotency
  readonly server: FastifyInstance
}

export interface OpenGateway {
  /** Sweeps what has expired: for upkeep. */
  tend(): Promise<void>
  close(): void
}

export async function openGateway(parts: GatewayParts): Promise<OpenGateway> {
  const { config, clock, logger, storage, changes, feed, verifier, meter, tokens } = parts
  const { identity, sessions, idempotency, server } = parts
  const { issuer, gateway: settings } = config
  const fromFile = settings.routesFile === undefined ? [] : readRoutesFile(settings.routesFile, clock.nowMs())
  const routes = new LiveRoutes(storage, fromFile)
  await routes.load()
  const hosts = new BrowserHosts(settings.hosts)
  const headers = new IdentityHeaders({ signingKeys: tokens.signingKeys, clock, issuer })
  sessions.onUse = (session, ip) => identity.sessionUse.note(session, ip)

  const gateway = new Gateway({
    proof: new ProxyProof({ secrets: settings.secrets, networks: settings.proxies }),
    routes,
    hosts,
    verifier,
    meter,
    identity: headers,
    logFailure: (error) => logger.error({ err: error }, 'the gateway failed'),
  })
  answerFirst(server, (request, response) => gateway.answer(request, response))
  gatewayRoutes(server, { storage, changes, idempotency, routes })
  browserRoutes(server, { hosts, identity, issuer, storage, clock })
  const stops = [routes.follow(feed), headers.stop]
  return {
    tend: () => purgeAppSessions({ storage, clock }),
    close() {
      for (const stop of stops) stop()
    },
  }
}
