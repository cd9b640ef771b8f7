/** Starting to serve: one process or several, and what the start says. */
import cluster from 'node:cluster'
import type { Config } from '../config.ts'
import { announce } from './announce.ts'
import { serveMany } from './serve-many.ts'
import { printsKeys, serveOne } from './serve-one.ts'

/** Resolves once it serves; the process then ends by signal. Rejects with a sentence for the operator. */
export async function startServing(config: Config, write: (text: string) => void): Promise<void> {
  if (cluster.isWorker) {
    // One of them sweeps; the others only serve.
    await serveOne(config, cluster.worker?.id === 1)
    return
  }
  const { address, firstKeys } = config.workers > 1 ? await serveMany(config) : await serveOne(config, true)
  write(announce({ address, dataDir: config.dataDir, firstKeys, printsKeys: printsKeys(config) }))
}
