/** Runs one command line and answers its exit code. Nothing here ends the process. */
import { CommanderError } from 'commander'
import type { Cli, GlobalOptions } from './cli.ts'
import type { CliDeps } from './deps.ts'
import { type CliError, EXIT, type ExitCode, OutputClosed, usageError } from './errors.ts'
import { reportError } from './explain-error.ts'
import type { CliIo } from './io.ts'
import { Output } from './output/output.ts'
import { buildProgram } from './program.ts'
import type { ApiClient } from './transport/api-client.ts'

/** `argv` without the program's own name. */
export async function runCli(argv: readonly string[], io: CliIo, deps: CliDeps): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT.ok
  let client: Promise<ApiClient> | undefined
  // Also true where the arguments could not be parsed.
  const wantsJson = argv.includes('--json')
  const cli: Cli = {
    io,
    deps,
    out: new Output(io, () => wantsJson),
    get options() {
      return program.opts<GlobalOptions>()
    },
    client: () => (client ??= import('./target.ts').then(({ openClient }) => openClient(cli))),
    action:
      (work) =>
      async (...args) => {
        exitCode = (await work(...args)) ?? EXIT.ok
      },
  }
  const program = buildProgram(cli)
  try {
    await program.parseAsync(withoutHelpVerb(argv), { from: 'user' })
  } catch (error) {
    exitCode = await endOf(error, cli, wantsJson)
  }
  await client?.then(
    (opened) => opened.close(),
    () => {},
  )
  return exitCode
}

async function endOf(error: unknown, cli: Cli, wantsJson: boolean): Promise<ExitCode> {
  if (error instanceof OutputClosed) return EXIT.ok
  const fault = error instanceof CommanderError ? usageFault(error) : error
  if (fault === undefined) return (error as CommanderError).exitCode === 0 ? EXIT.ok : EXIT.usage
  try {
    return await reportError(fault, cli, wantsJson)
  } catch (closed) {
    if (closed instanceof OutputClosed) return EXIT.failed
    throw closed
  }
}

/** Commander's sentence as an error of ours; undefined for help, which has been printed. */
function usageFault({ code, message }: CommanderError): CliError | undefined {
  if (code === 'commander.help' || code === 'commander.helpDisplayed' || code === 'commander.version')
    return undefined
  const [sentence = '', guess] = message.replace(/^error: /, '').split('\n')
  return usageError(sentence, guess?.replace(/^\((.*)\)$/, '$1'))
}

/** `help keys list` is `keys list --help`: the verbs of a noun are loaded only on its own way. */
function withoutHelpVerb(argv: readonly string[]): string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv]
}
