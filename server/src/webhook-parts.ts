/** Composition of webhooks: the outbox that changes are told to, and what sends them. */
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { type Config, isLoopbackIssuer } from './config.ts'
import { type Clock, parseCidrs } from './kernel/index.ts'
import type { Changes } from './revocation/index.ts'
import type { Idempotency, Storage } from './storage/index.ts'
import {
  Dispatcher,
  SecretSealer,
  type WebhookContext,
  WebhookOutbox,
  webhookRoutes,
} from './webhooks/index.ts'

export interface WebhookParts {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly rootSecret: string
  readonly storage: Storage
}

export interface Webhooks {
  readonly outbox: WebhookOutbox
  /** Once they are there: changes are told to the outbox, and webhooks make changes themselves. */
  use(changes: Changes): void
  mount(server: FastifyInstance, idempotency: Idempotency): void
  /** Sends, in this process. */
  start(): void
  readonly dispatcher: Dispatcher
  /** Keeps the log within its bounds: for upkeep. */
  tend(): Promise<void>
  close(): Promise<void>
}

export function openWebhooks({ config, clock, logger, rootSecret, storage }: WebhookParts): Webhooks {
  const sealer = new SecretSealer(rootSecret)
  const guard = {
    allowLoopback: isLoopbackIssuer(config.issuer),
    allow: parseCidrs(config.webhookNetworks),
  }
  let dispatcher: Dispatcher | undefined
  let context: WebhookContext | undefined
  const outbox = new WebhookOutbox(clock, () => dispatcher?.wake())
  return {
    outbox,
    use(changes) {
      context = { changes, sealer, outbox, guard }
      dispatcher = new Dispatcher({
        storage,
        changes,
        clock,
        sealer,
        guard,
        onDisabled: ({ id, url, disabledReason }) =>
          logger.warn({ webhook: id, url, reason: disabledReason }, 'a webhook is told nothing any more'),
        onError: (error) => logger.warn({ err: error }, 'webhooks will be looked at again'),
      })
    },
    mount(server, idempotency) {
      webhookRoutes(server, { storage, context: context as WebhookContext, idempotency })
    },
    start: () => dispatcher?.start(),
    get dispatcher() {
      return dispatcher as Dispatcher
    },
    tend: async () => dispatcher?.purge(),
    close: async () => dispatcher?.stop(),
  }
}
