/** What the command line needs from the composition root, handed in so that this folder builds no server itself. */
import type { FastifyInstance } from 'fastify'
import type { Config, Overrides } from '../config.ts'

/** A deployment that is open in this process and does not listen. */
export interface Deployment {
  readonly server: Pick<FastifyInstance, 'inject'>
  /** Authenticates as the system user, in this process only. */
  readonly systemToken: string | undefined
  close(): Promise<void>
}

export interface CliDeps {
  /** As the system user. Never migrates, never makes a deployment; throws for a root secret that is not the database's. */
  openDeployment(config: Config): Promise<Deployment>
  /** Resolves once the server listens; the process then ends by signal. `overrides` by setting name, as typed. */
  serve(overrides: Overrides): Promise<void>
}
