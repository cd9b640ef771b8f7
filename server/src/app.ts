/**
 * The composition root: opens the storage, builds the modules on it, and mounts their routes. Nothing imports it but
 * the starts (main, the command line, tests).
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import {
  bulkKeyRoutes,
  type KeyContext,
  KeyPresenter,
  keyRoutes,
  KeyUse,
  lockKey,
  operatorRoutes,
  pepperRoutes,
  Peppers,
} from './api-keys/index.ts'
import { ActivityLog, auditRoutes } from './audit/index.ts'
import { bootstrap, deploymentName, type FirstKeys, requireBootstrapped } from './bootstrap.ts'
import { clientRoutes, lockClient, storedAccessToken } from './clients/index.ts'
import { AppSessions } from './gateway/index.ts'
import { openGateway } from './gateway-parts.ts'
import { type Config, isLoopbackIssuer } from './config.ts'
import {
  createLogger,
  createMetrics,
  createServer,
  mountDocsPage,
  mountErrorsPage,
  mountFrontPage,
  mountHealth,
  mountMetrics,
  mountOpenApi,
  openApiOf,
  type Readiness,
} from './http/index.ts'
import { type Clock, systemClock } from './kernel/index.ts'
import { leakRoutes, purgeLeaks, SenderKeys } from './leaks/index.ts'
import {
  createAdmit,
  inheritLimits,
  leaseRoutes,
  limitRoutes,
  type OpenedLimits,
  openLimits,
  planRoutes,
} from './limits/index.ts'
import { type OAuth, openOAuth } from './oauth-parts.ts'
import { reachedResources, resourceRoutes, ResourceUris } from './resources/index.ts'
import {
  Changes,
  detectRestore,
  FeedPublisher,
  FeedReader,
  feedRoutes,
  noteHead,
  OLDEST_READING_MS,
  RestoreGuard,
} from './revocation/index.ts'
import { revocationRoutes } from './revocations/index.ts'
import { openRootSecret } from './root-secret.ts'
import { rotationRoutes, warnOfRotation } from './rotation/index.ts'
import {
  Idempotency,
  migrate,
  openStorage,
  schemaState,
  type Storage,
  type StorageTesting,
} from './storage/index.ts'
import { tenantRoutes } from './tenants/index.ts'
import { startUpkeep } from './upkeep.ts'
import { openTokens, type Tokens } from './token-parts.ts'
import { findPresentedToken, KeySealer, prepareRevocationOfAll } from './tokens/index.ts'
import { tendUsage, UsageMeter, usageRoutes } from './usage/index.ts'
import { createAuthenticate, DecisionMeter, ownUsageRoutes, Verifier, verifyRoutes } from './verify/index.ts'
import { openWebhooks, type Webhooks } from './webhook-parts.ts'

export interface OpenOptions {
  /** Bring the schema up to date and make a new deployment where there is none; otherwise both are refused. */
  readonly setUp: boolean
  /** Give the process itself a way in, as the system user: the command line on the data folder. */
  readonly asSystem?: boolean
  /** Run the sweeps in this process. */
  readonly upkeep?: boolean
  readonly logger?: Logger
  readonly clock?: Clock
  readonly testing?: StorageTesting
}

export interface Deployment {
  readonly server: FastifyInstance
  readonly storage: Storage
  readonly context: KeyContext
  readonly feed: FeedReader
  readonly verifier: Verifier
  readonly limits: OpenedLimits
  readonly usage: UsageMeter
  readonly logger: Logger
  readonly oauth: OAuth
  readonly webhooks: Webhooks
  /** The bearer of the system user; undefined unless asked for. */
  readonly systemToken: string | undefined
  /** When this opening made the deployment: its first keys, which are nowhere else. */
  readonly firstKeys: FirstKeys | undefined
  /** Writes what is pending and lets go of the database. The server is closed first. */
  close(): Promise<void>
}

/** Nothing listens yet: `server.listen` or `server.inject`. Throws with a sentence for the operator. */
export async function openDeployment(config: Config, options: OpenOptions): Promise<Deployment> {
  const clock = options.clock ?? systemClock
  const logger = options.logger ?? createLogger(config)
  // Before anything is made: the first keys may have to be put there.
  if (options.setUp) mkdirSync(config.dataDir, { recursive: true, mode: 0o700 })
  const rootSecret = openRootSecret(config.rootSecret, config.dataDir)
  const storage = await openStorage(
    { databaseUrl: config.databaseUrl, dataDir: config.dataDir },
    clock,
    options.testing,
  )
  try {
    await prepareSchema(storage, clock, options.setUp)
    return await build({ config, options, clock, logger, rootSecret, storage })
  } catch (error) {
    await storage.close()
    throw error
  }
}

async function prepareSchema(storage: Storage, clock: Clock, setUp: boolean): Promise<void> {
  if (setUp) {
    await migrate(storage, clock.nowMs())
    return
  }
  const { pending } = await schemaState(storage)
  if (pending.length > 0)
    throw new Error(`The database lacks ${pending.length} migration(s). Run: postern migrate`)
}

interface Parts {
  readonly config: Config
  readonly options: OpenOptions
  readonly clock: Clock
  readonly logger: Logger
  readonly rootSecret: string
  readonly storage: Storage
}

async function build({ config, options, clock, logger, rootSecret, storage }: Parts): Promise<Deployment> {
  const webhooks = openWebhooks({ config, clock, logger, rootSecret, storage })
  const changes: Changes = new Changes(clock, new FeedPublisher(clock, () => feed.catchUp()), webhooks.outbox)
  webhooks.use(changes)
  const guard = new RestoreGuard({
    storage,
    changes,
    prepareEndOfTokens: () => prepareRevocationOfAll({ storage, changes, sealer: new KeySealer(rootSecret) }),
    alarm(message, about) {
      logger.error(about, message)
      // The command line keeps no log, and whoever comes after it finds nothing to be alarmed about.
      if (options.asSystem) process.stderr.write(`postern: ${message}\n`)
    },
  })
  const feed = new FeedReader(storage, clock, guard)
  const peppers = new Peppers(rootSecret)
  const context: KeyContext = { changes, peppers, onRotated: inheritLimits }
  const idempotency = new Idempotency(storage, rootSecret, clock)

  const firstKeys = options.setUp
    ? await bootstrap(storage, context, rootSecret, printsKeys(config))
    : undefined
  if (!options.setUp) await requireBootstrapped(storage, rootSecret)
  await peppers.load(storage)
  const deployment = await deploymentName(storage)
  await detectRestore(guard, config.dataDir, deployment)
  await feed.start()

  const metrics = createMetrics()
  metrics.watchFeedAge(() => feed.ageMs() / 1000)
  const activity = new ActivityLog(storage, clock)
  const keyUse = new KeyUse(storage, clock, ({ keyId, tenantId, network }) =>
    activity.record({
      kind: 'new_network',
      code: 'new_network',
      route: '*',
      network,
      tenant: tenantId,
      credential: keyId,
    }),
  )
  const usage = new UsageMeter(storage, clock)
  const tokens = await openTokens({
    config,
    clock,
    logger,
    rootSecret,
    storage,
    changes,
    feed,
    storedClaims: (text) => storedAccessToken(storage, text),
  })
  const findToken = (text: string) => findPresentedToken(tokens.ports, text)
  const limits = await openLimits({
    storage,
    clock,
    feed,
    processes: config.workers * config.nodes,
    valkeyUrl: config.valkeyUrl,
    whenLost: config.valkeyLost,
    charges: options.asSystem !== true,
    warn: (message, error) => logger.warn({ err: error }, message),
  })
  const sessions = new AppSessions(storage, clock)
  const verifier = new Verifier({
    storage,
    peppers,
    feed,
    clock,
    findToken,
    sessions,
    findLimits: (presented) => limits.find(presented),
    chargeLimits: (bound, cost) => limits.charge(bound, cost),
  })
  const meter = new DecisionMeter({
    keyUse,
    activity,
    usage,
    count: (code) => metrics.countDecision(code),
  })
  const systemToken = options.asSystem ? randomBytes(32).toString('base64url') : undefined

  const server = createServer({
    logger,
    authenticate: createAuthenticate(verifier, meter, systemToken),
    admit: createAdmit(config.limits, clock),
    trustedProxies: config.trustedProxies,
    metrics,
    ...(config.tls && {
      tls: { cert: readFileSync(config.tls.certFile), key: readFileSync(config.tls.keyFile) },
    }),
  })
  const uris = new ResourceUris(storage)
  const present = new KeyPresenter(uris, clock)
  const keyPorts = { storage, context, idempotency, present }
  verifyRoutes(server, { verifier, meter, issuer: config.issuer })
  const followers = feedRoutes(server, {
    storage,
    clock,
    feed,
    issuer: config.issuer,
    keys: tokens.signingKeys,
    resources: (caller) => reachedResources(storage, caller),
  })
  metrics.watchFollowers(followers)
  ownUsageRoutes(server, { verifier, storage, issuer: config.issuer })
  usageRoutes(server, { storage, clock, uris })
  tenantRoutes(server, { storage, changes, idempotency })
  resourceRoutes(server, { storage, changes, idempotency })
  keyRoutes(server, keyPorts)
  bulkKeyRoutes(server, keyPorts)
  operatorRoutes(server, keyPorts)
  pepperRoutes(server, keyPorts)
  clientRoutes(server, { storage, changes, idempotency })
  planRoutes(server, { storage, changes, idempotency })
  limitRoutes(server, {
    storage,
    context: { changes, keyParents: lockKey, clientParents: lockClient },
  })
  leaseRoutes(server, limits.leases)
  auditRoutes(server, storage)
  revocationRoutes(server, {
    storage,
    context,
    idempotency,
    findToken,
    signingKeys: tokens.keyPorts,
    keysChanged: () => tokens.signingKeys.refresh(),
  })
  leakRoutes(server, {
    storage,
    context,
    activity,
    uris,
    senders: leakSenders(config, tokens, clock, logger),
  })
  webhooks.mount(server, idempotency)
  const aging = { storage, webhookSecretMaxAgeMs: config.webhookSecretMaxAgeMs }
  rotationRoutes(server, { ...aging, context, idempotency, present, verifier, meter })
  tokens.mount(server, idempotency)
  const oauth = openOAuth({
    config,
    clock,
    logger,
    rootSecret,
    storage,
    changes,
    activity,
    verifier,
    limits,
    tokens,
    idempotency,
    server,
  })
  const gateway = await openGateway({
    config,
    clock,
    logger,
    storage,
    changes,
    feed,
    verifier,
    meter,
    tokens,
    identity: oauth.identity,
    sessions,
    idempotency,
    server,
  })

  mountHealth(server, async () => readiness(feed))
  mountMetrics(server, metrics)
  const document = openApiOf(server, { issuer: config.issuer, version: VERSION })
  mountOpenApi(server, document)
  mountDocsPage(server, document)
  mountErrorsPage(server)
  mountFrontPage(server, config.issuer)

  activity.start()
  keyUse.start()
  usage.start()
  if (options.upkeep) webhooks.start()
  // It looks at every key: an hour sooner or later is nothing to a warning of days.
  let warnedAtMs = Number.NEGATIVE_INFINITY
  const warnInTime = async (): Promise<void> => {
    if (clock.monotonicMs() - warnedAtMs < WARN_EVERY_MS) return
    warnedAtMs = clock.monotonicMs()
    await warnOfRotation({ ...aging, clock, outbox: webhooks.outbox })
  }
  const stopUpkeep = options.upkeep
    ? startUpkeep({
        storage,
        clock,
        feed,
        idempotency,
        tend: async () => {
          await tokens.tend()
          await purgeLeaks(storage)
          await webhooks.tend()
          await warnInTime()
          await oauth.tend()
          await limits.tend()
          await tendUsage(storage, clock, config.usage)
          await gateway.tend()
        },
        noteHead: (seq) => noteHead(config.dataDir, deployment, seq),
        warn: (message, error) => logger.warn({ err: error }, message),
      })
    : undefined

  return {
    server,
    storage,
    context,
    feed,
    verifier,
    limits,
    usage,
    logger,
    oauth,
    webhooks,
    systemToken,
    firstKeys,
    async close() {
      await server.close()
      gateway.close()
      await oauth.close()
      await webhooks.close()
      tokens.close()
      await limits.close()
      await usage.stop()
      await keyUse.stop()
      await activity.stop()
      stopUpkeep?.()
      await feed.stop()
      await storage.close()
    },
  }
}

const WARN_EVERY_MS = 3_600_000

/** The scanners whose reports are believed: those whose keys may be fetched. */
function leakSenders({ leakKeyUrls }: Config, tokens: Tokens, clock: Clock, logger: Logger) {
  const sender = (url: string | undefined): SenderKeys | undefined =>
    url === undefined
      ? undefined
      : new SenderKeys(url, {
          clock,
          guard: { allowLoopback: tokens.allowLoopback },
          onFailure: (from, error) =>
            logger.warn({ err: error, from }, 'the keys of a scanner cannot be fetched'),
        })
  return { github: sender(leakKeyUrls.github), gitlab: sender(leakKeyUrls.gitlab) }
}

/** A node is ready while its own reading of the feed is young: that needs the database, and is what verify needs. */
async function readiness(feed: FeedReader): Promise<Readiness> {
  if (feed.ageMs() > OLDEST_READING_MS) await feed.catchUp()
  const current = feed.ageMs() <= OLDEST_READING_MS
  return {
    ok: current,
    checks: { database: { ok: current, ...(!current && { detail: 'revocations cannot be read' }) } },
  }
}

const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version

/** Keys are printed, and demo data made, only where nobody but the person at the machine can be reached by them. */
export function printsKeys(config: Config): boolean {
  return config.databaseUrl === undefined && isLoopbackIssuer(config.issuer)
}
