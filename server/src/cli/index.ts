/**
 * The command line: every command once, over one interface to the management API, which is either a server's or that of
 * the data folder in process. It builds no server: `main.ts` hands it the composition root.
 */
export type { CliDeps, Deployment } from './deps.ts'
export { EXIT, type ExitCode } from './errors.ts'
export { type CliIo, terminalIo, TextSink } from './io.ts'
export { runCli } from './run-cli.ts'
