/** One serving process: opens the deployment, listens, and drains when it is told to end. */
import { openDeployment, printsKeys } from '../app.ts'
import type { FirstKeys } from '../bootstrap.ts'
import type { Config } from '../config.ts'
import { serve } from '../http/index.ts'

export interface Served {
  readonly address: string
  readonly firstKeys: FirstKeys | undefined
}

/** Resolves once it listens. The process ends by signal. */
export async function serveOne(config: Config, upkeep: boolean): Promise<Served> {
  const deployment = await openDeployment(config, { setUp: true, upkeep })
  for (const warning of config.warnings) deployment.logger.warn(warning)
  try {
    const { port } = await serve(deployment.server, {
      host: config.host,
      port: config.port,
      graceSeconds: config.shutdownGraceSeconds,
      logger: deployment.logger,
      flush: [() => deployment.close()],
    })
    return { address: addressOf(config, port), firstKeys: deployment.firstKeys }
  } catch (error) {
    await deployment.close()
    throw error
  }
}

/** The configured issuer, with the port that was really taken when any would do. */
export function addressOf(config: Config, port: number): string {
  return config.port === 0 ? config.issuer.replace(/:0$/, `:${port}`) : config.issuer
}

export { printsKeys }
