/**
 * `--workers N`: this process sets the deployment up and then only keeps N others serving on one port. One that ends
 * unasked is replaced, not faster than once a second.
 */
import cluster, { type Worker } from 'node:cluster'
import { openDeployment } from '../app.ts'
import type { Config } from '../config.ts'
import { addressOf, type Served } from './serve-one.ts'

const RESTART_MS = 1_000

/** Resolves once all of them listen. */
export async function serveMany(config: Config): Promise<Served> {
  const setUp = await openDeployment(config, { setUp: true })
  const { firstKeys, logger } = setUp
  for (const warning of config.warnings) logger.warn(warning)
  await setUp.close()

  let ending = false
  const listening = Promise.withResolvers<number>()
  let ready = 0
  const fork = (): void => {
    const worker = cluster.fork()
    worker.once('listening', ({ port }) => {
      if (++ready === config.workers) listening.resolve(port)
    })
  }
  cluster.on('exit', (worker: Worker, code) => {
    if (ending) {
      if (Object.keys(cluster.workers ?? {}).length === 0) process.exit(0)
      return
    }
    if (ready < config.workers) {
      listening.reject(new Error(`Worker ${worker.id} ended with code ${code} before it listened.`))
      return
    }
    logger.error(`worker ${worker.id} ended with code ${code}; another takes its place`)
    setTimeout(fork, RESTART_MS)
  })
  const end = (signal: NodeJS.Signals): void => {
    ending = true
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill(signal)
  }
  process.on('SIGTERM', end).on('SIGINT', end)
  for (let count = 0; count < config.workers; count++) fork()
  return { address: addressOf(config, await listening.promise), firstKeys }
}
