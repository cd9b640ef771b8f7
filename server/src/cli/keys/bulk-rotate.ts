/**
 * The stream of a bulk rotation. Every line holds a new key that exists nowhere else, so a stream that is cut must be
 * resumable: the same Idempotency-Key and body give the same lines again, and then the rest.
 */
import { randomUUID } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cli } from '../cli.ts'
import { CliError, EXIT, OutputClosed, usageError } from '../errors.ts'
import { Progress } from '../output/progress.ts'
import { openSecretFile } from '../output/secret-file.ts'
import { plural } from '../output/text.ts'
import { StreamCut } from '../transport/api-client.ts'
import { isPassing } from '../transport/create-once.ts'

export interface BulkRotateOptions {
  readonly overlap?: number
  readonly output?: string
  readonly resume?: string
}

/** What is sent, to the letter: another body under the same key is refused. */
export interface BulkRotateBody {
  readonly filter: Record<string, unknown>
  readonly overlap_seconds?: number | undefined
  readonly expected_count: number
}

const PATH = '/v1/keys/bulk-rotate'
const ATTEMPTS = 5

export async function bulkRotate(cli: Cli, body: BulkRotateBody, options: BulkRotateOptions): Promise<void> {
  await run(cli, { key: randomUUID(), body }, options.output, false)
}

export async function resumeBulkRotate(cli: Cli, token: string, options: BulkRotateOptions): Promise<void> {
  await run(cli, parseToken(token), options.output, true)
}

interface Attempt {
  readonly key: string
  readonly body: BulkRotateBody
}

async function run(cli: Cli, attempt: Attempt, output: string | undefined, resumed: boolean): Promise<void> {
  const file = output === undefined ? undefined : await openSecretFile(output, resumed)
  const progress = new Progress(cli.io, 'Rotating')
  let written = 0
  try {
    const rotated = await receive(cli, attempt, async (line) => {
      await writeLine(cli, file, line)
      progress.update((written += 1), attempt.body.expected_count)
    })
    progress.end()
    await file?.sync()
    await cli.out.note(
      `Rotated ${plural(rotated, 'key')}. The new keys are shown this once${output === undefined ? '' : `: they are in ${output}`}.`,
    )
  } catch (error) {
    progress.end()
    // A refusal before the first line has rotated nothing.
    if (written === 0 && !(error instanceof StreamCut) && !(error instanceof OutputClosed)) throw error
    throw cut(attempt, written, output, error)
  } finally {
    await file?.close()
  }
}

/** Hands each line on once, however often the stream is cut; answers how many keys were rotated. */
async function receive(
  cli: Cli,
  { key, body }: Attempt,
  take: (line: string) => Promise<void>,
): Promise<number> {
  const client = await cli.client()
  let taken = 0
  for (let attempt = 1; ; attempt += 1) {
    try {
      let seen = 0
      for await (const line of client.stream('POST', PATH, { body, headers: { 'idempotency-key': key } })) {
        if (line === '') continue
        const { done, rotated } = JSON.parse(line) as { done?: boolean; rotated?: number }
        if (done) return rotated ?? taken
        seen += 1
        if (seen <= taken) continue
        await take(line)
        taken += 1
        attempt = 1
      }
      throw new StreamCut('The answer ended before it was complete.')
    } catch (error) {
      const again = error instanceof StreamCut || error instanceof SyntaxError || isPassing(error)
      if (!again || attempt >= ATTEMPTS) throw error
      await sleep(100 * 2 ** attempt)
    }
  }
}

async function writeLine(cli: Cli, file: FileHandle | undefined, line: string): Promise<void> {
  if (file) await file.write(`${line}\n`)
  else await cli.out.line(line)
}

function cut(attempt: Attempt, written: number, output: string | undefined, cause: unknown): CliError {
  const into = output === undefined ? '' : ` --output ${output}`
  const token = Buffer.from(JSON.stringify(attempt)).toString('base64url')
  return new CliError(
    EXIT.unavailable,
    `The rotation was cut after ${plural(written, 'key')} (${(cause as Error).message || 'the output was closed'}). No key is lost for 24 hours.`,
    {
      hint: `All lines again and then the rest: postern keys bulk-rotate${into} --resume ${token}`,
      code: 'stream_cut',
    },
  )
}

function parseToken(token: string): Attempt {
  try {
    const { key, body } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Attempt
    if (typeof key === 'string' && typeof body.filter === 'object') return { key, body }
  } catch {
    // Falls through: it is not one that was printed.
  }
  throw usageError(
    'This is not a token of a rotation that was cut.',
    'Copy it whole from the message that printed it.',
  )
}
