/** For what leaves nothing to show. */
import type { Cli } from '../cli.ts'

/** `document` for scripts, `sentence` for people. */
export async function printDone({ out }: Cli, document: unknown, sentence: string): Promise<void> {
  if (out.isJson) await out.json(document)
  else await out.note(sentence)
}
