/** `postern …`: the command line over the composition root. Each part is loaded only by the command that needs it. */
import { runCli, terminalIo } from './cli/index.ts'

const io = terminalIo(process)

process.exitCode = await runCli(process.argv.slice(2), io, {
  async openDeployment(config) {
    const [{ openDeployment }, { createLogger }] = await Promise.all([
      import('./app.ts'),
      import('./http/index.ts'),
    ])
    // Text, on standard error: standard output is the command's.
    const logger = createLogger({ logLevel: 'warn', logFormat: 'pretty' })
    return openDeployment(config, { setUp: false, asSystem: true, logger })
  },
  async serve(overrides) {
    const [{ loadConfig }, { startServing }] = await Promise.all([
      import('./config.ts'),
      import('./start/index.ts'),
    ])
    await startServing(loadConfig(process.env, overrides), (text) => void process.stdout.write(text))
  },
})
