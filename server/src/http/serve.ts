/**
 * Listening and the end of it. On SIGTERM or SIGINT nothing new is accepted, what is under way may finish within the
 * grace, then the modules flush and the process exits with 0; a second signal exits at once.
 */
import { createServer as createListener } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'

export interface ServeOptions {
  /** `localhost` listens on both loopback addresses: which of them a client tries first is the client's choice. */
  readonly host: string
  readonly port: number
  readonly graceSeconds: number
  readonly logger: Logger
  /** Run in order when no request is under way any more: flush usage, close the database. */
  readonly flush?: readonly (() => void | Promise<void>)[]
  /** For tests. */
  readonly exit?: (code: number) => void
}

export interface Serving {
  readonly port: number
  /** Drains as a signal does, without exiting. */
  stop(): Promise<void>
}

export async function serve(server: FastifyInstance, options: ServeOptions): Promise<Serving> {
  const { host, logger } = options
  const onBoth = host === 'localhost'
  await quietly(logger, () => server.listen({ host: onBoth ? '127.0.0.1' : host, port: options.port }))
  const { port } = server.server.address() as AddressInfo
  const second = onBoth ? await listenOnSixth(server, port) : undefined

  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= drain(server, second, options))

  const exit = options.exit ?? ((code: number) => process.exit(code))
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn(`${signal} again: exiting at once`)
      exit(1)
      return
    }
    logger.info(`${signal}: finishing what is under way, for at most ${options.graceSeconds} s`)
    stop().then(
      () => exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, 'could not flush')
        exit(1)
      },
    )
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  return {
    port,
    stop: () => stop().finally(() => process.off('SIGTERM', onSignal).off('SIGINT', onSignal)),
  }
}

/** Fastify says at `info` where it listens; the start says it in its own words. */
async function quietly(logger: Logger, listen: () => Promise<string>): Promise<void> {
  const { level } = logger
  if (logger.isLevelEnabled('info')) logger.level = 'warn'
  try {
    await listen()
  } finally {
    logger.level = level
  }
}

/**
 * The other loopback address, by a listener that hands its connections to the same HTTP server, so that timeouts and the
 * drain know them. A machine without IPv6 goes without.
 */
function listenOnSixth(server: FastifyInstance, port: number): Promise<Server | undefined> {
  const listener = createListener({ allowHalfOpen: true, noDelay: true }, (socket) => {
    server.server.emit('connection', socket)
  })
  return new Promise((resolve) => {
    listener.once('error', () => resolve(undefined))
    listener.listen({ port, host: '::1' }, () => resolve(listener))
  })
}

async function drain(
  server: FastifyInstance,
  second: Server | undefined,
  { graceSeconds, logger, flush = [] }: ServeOptions,
): Promise<void> {
  server.posternHttp.draining = true
  const cut = setTimeout(() => {
    logger.warn('the grace is over: closing the connections that are left')
    server.server.closeAllConnections()
  }, graceSeconds * 1000)
  // A connection falls idle when its request is answered; kept alive, it would use up the whole grace.
  const sweep = setInterval(() => server.server.closeIdleConnections(), 50)
  const closed = [server.close(), second && new Promise<void>((resolve) => second.close(() => resolve()))]
  await Promise.all(closed)
  clearTimeout(cut)
  clearInterval(sweep)
  for (const step of flush) await step()
}
