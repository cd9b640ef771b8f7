/** How a command ends: its exit code, and an error that says what to do next. */

export const EXIT = {
  ok: 0,
  /** The server refused, or the work failed. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was asked. */
  usage: 2,
  /** `doctor`, `audit verify`, `keys check` or `leaks scan` found a fault. */
  checkFailed: 3,
  /** The server or the database cannot be reached, or is too busy. */
  unavailable: 4,
  /** No valid operator credential, or one that may not do this. */
  notPermitted: 5,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export class CliError extends Error {
  readonly exitCode: ExitCode
  /** What to do next, as a sentence. */
  readonly hint: string | undefined
  /** Stable, for `--json`. */
  readonly code: string

  constructor(exitCode: ExitCode, message: string, more: { hint?: string | undefined; code?: string } = {}) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.hint = more.hint
    this.code = more.code ?? CODES[exitCode]
  }
}

const CODES: Record<ExitCode, string> = {
  0: 'ok',
  1: 'failed',
  2: 'usage',
  3: 'check_failed',
  4: 'unavailable',
  5: 'not_permitted',
}

export function usageError(message: string, hint?: string): CliError {
  return new CliError(EXIT.usage, message, { hint })
}

/** Whoever read our output has gone (`postern keys list | head`): no error, and nothing left to say. */
export class OutputClosed extends Error {
  override name = 'OutputClosed'
}
