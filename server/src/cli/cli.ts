/** What a command works with. */
import type { Command } from 'commander'
import type { CliDeps } from './deps.ts'
import type { ExitCode } from './errors.ts'
import type { CliIo } from './io.ts'
import type { Output } from './output/output.ts'
import type { ApiClient } from './transport/api-client.ts'

export interface GlobalOptions {
  readonly json?: boolean
  /** `--data`. */
  readonly data?: string
  /** `--config`. */
  readonly config?: string
}

export interface Cli {
  readonly io: CliIo
  readonly out: Output
  readonly deps: CliDeps
  /** Known once the arguments have been parsed: read it in actions only. */
  readonly options: GlobalOptions
  /** The server of POSTERN_URL, or the data folder; opened once, closed at the end. */
  client(): Promise<ApiClient>
  /** Runs `work` as the command's action and keeps its exit code. */
  action<Args extends unknown[]>(
    work: (...args: Args) => Promise<ExitCode | void>,
  ): (...args: Args) => Promise<void>
}

/** Adds the verbs of one noun (or the options and the action of a command without verbs). */
export type Define = (command: Command, cli: Cli) => void
