/** Asks before something that cannot be undone. Scripts, which nobody can ask, have to say --yes. */
import { CliError, EXIT, usageError } from '../errors.ts'
import type { CliIo } from '../io.ts'

/** Goes on when `answer` was typed or `yes` is set; throws otherwise. */
export async function confirm(
  io: CliIo,
  question: string,
  answer: string,
  yes: boolean | undefined,
): Promise<void> {
  if (yes) return
  if (!io.isTTY.stdin || !io.isTTY.stderr)
    throw usageError(
      'This cannot be undone, and there is no terminal to ask on.',
      'Add --yes if it is meant.',
    )
  const typed = await io.ask(`${question} Type ${answer} to go on: `)
  if (typed.trim() !== answer) throw new CliError(EXIT.failed, 'Not confirmed; nothing was changed.')
}
