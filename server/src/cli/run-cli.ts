/** Runs one command line and answers its exit code. Nothing here ends the process. */
import { CommanderError } from 'commander'
import type { Cli, GlobalOptions } from './cli.ts'
import type { CliDeps } from './deps.ts'
import { EXIT, type ExitCode, OutputClosed } from './errors.ts'
import { reportError } from './explain-error.ts'
import type { CliIo } from './io.ts'
import { Output } from './output/output.ts'
import { buildProgram } from './program.ts'
import { openClient } from './target.ts'
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
    client: () => (client ??= openClient(cli)),
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
  // Commander has printed help or the fault already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  try {
    return await reportError(error, cli, wantsJson)
  } catch (closed) {
    if (closed instanceof OutputClosed) return EXIT.failed
    throw closed
  }
}

/** `help keys list` is `keys list --help`: the verbs of a noun are loaded only on its own way. */
function withoutHelpVerb(argv: readonly string[]): string[] {
  return argv[0] === 'help' ? [...argv.slice(1), '--help'] : [...argv]
}
