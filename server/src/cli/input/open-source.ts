/** What an import reads: a file, or stdin. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Cli } from '../cli.ts'
import { usageError } from '../errors.ts'

export interface Source {
  readonly chunks: AsyncIterable<Uint8Array>
  /** In bytes; undefined: a pipe, whose end nobody knows. */
  readonly size: number | undefined
}

export async function openSource(cli: Cli, file: string | undefined): Promise<Source> {
  if (file === undefined || file === '-') {
    if (cli.io.isTTY.stdin) throw usageError('There is nothing to read.', 'Name a file, or pipe one in.')
    return { chunks: cli.io.stdin, size: undefined }
  }
  try {
    const found = await stat(file)
    return {
      chunks: createReadStream(file, { highWaterMark: 262_144 }),
      size: found.isFile() ? found.size : undefined,
    }
  } catch (error) {
    throw usageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`)
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}
