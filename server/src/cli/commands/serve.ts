/** serve: the options override the environment, which overrides the file. */
import type { Command } from 'commander'
import type { Cli } from '../cli.ts'

interface ServeOptions {
  readonly host?: string
  readonly port?: string
  readonly issuer?: string
  readonly workers?: string
  readonly insecure?: boolean
}

export function define(command: Command, cli: Cli): void {
  command
    .description('Runs the server until SIGTERM. Every setting is in docs/configuration.md.')
    .option('--host <host>', 'where to listen: a name or an address')
    .option('--port <port>', 'the port to listen on')
    .option('--issuer <url>', 'the public address of this deployment')
    .option('--workers <n>', 'how many processes answer on the port')
    .option('--insecure', 'allow plain http beyond loopback, for a test')
    .action(
      cli.action(async (options: ServeOptions) => {
        const { data, config } = cli.options
        const given = { ...options, data, config }
        await cli.deps.serve(
          Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
        )
      }),
    )
}
