/** Reads one credential from a hidden prompt or from standard input, never from the arguments. */
import { CliError, EXIT, usageError } from '../errors.ts'
import type { CliIo } from '../io.ts'

const MOST_BYTES = 65_536

export async function readSecret(io: CliIo, question: string): Promise<string> {
  const text = io.isTTY.stdin ? await io.ask(question, { hidden: true }) : await readAll(io)
  const secret = text.trim()
  if (secret === '') throw usageError('Nothing was given.', 'Type it at the prompt, or pipe it in.')
  return secret
}

/** A password that is to be set: typed twice, or piped in. Its spaces count; the one line end behind it does not. */
export async function readNewPassword(io: CliIo): Promise<string> {
  if (!io.isTTY.stdin) {
    const password = (await readAll(io)).replace(/\r?\n$/, '')
    if (password === '') throw usageError('Nothing was given.', 'Type it at the prompt, or pipe it in.')
    if (/[\r\n]/.test(password)) throw usageError('A password is one line.')
    return password
  }
  const password = await io.ask('New password (not shown): ', { hidden: true })
  if (password === '') throw usageError('Nothing was given.', 'Type it at the prompt, or pipe it in.')
  if ((await io.ask('Again: ', { hidden: true })) !== password)
    throw new CliError(EXIT.failed, 'The two differ; nothing was changed.')
  return password
}

async function readAll(io: CliIo): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of io.stdin) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw new CliError(EXIT.usage, 'Standard input holds more than one credential.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
