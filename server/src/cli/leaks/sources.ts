/** What a scan reads: the files of a folder, or all that a git repository ever held, in pieces. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { lstat, opendir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Writable } from 'node:stream'
import { CliError, EXIT } from '../errors.ts'
import { linesOf } from '../transport/lines.ts'

/** One text, to be read to its end before the next one is asked for. */
export interface Source {
  /** The path, as it is shown. */
  readonly name: string
  /** Of git: the object that holds the text. */
  readonly blob?: string
  readonly pieces: AsyncIterable<Buffer>
}

/** A file, or all files below a folder. Links are not followed; what git keeps of itself is left to `historySources`. */
export async function* fileSources(path: string): AsyncGenerator<Source, void, undefined> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) throw new CliError(EXIT.usage, `${path} is not there.`)
  if (found.isFile()) yield { name: path, pieces: createReadStream(path) }
  else yield* below(path, path)
}

async function* below(root: string, folder: string): AsyncGenerator<Source, void, undefined> {
  for await (const entry of await opendir(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (entry.name !== '.git') yield* below(root, path)
    } else if (entry.isFile()) yield { name: relative(root, path) || path, pieces: createReadStream(path) }
  }
}

/**
 * Every object that any branch, tag or stash reaches, each once however many commits have it: files as they ever were,
 * and the texts of commits and tags.
 */
export async function* historySources(folder: string): AsyncGenerator<Source, void, undefined> {
  const list = spawn('git', ['-C', folder, 'rev-list', '--objects', '--all'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const cat = spawn('git', ['-C', folder, 'cat-file', '--batch', '--buffer'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let said = ''
  list.stderr.on('data', (text: Buffer) => (said = (said + text.toString()).slice(0, 500)))
  const listed = new Promise<number | null>((resolve) => {
    list.on('close', resolve)
    list.on('error', (error) => {
      said = error.message
      resolve(null)
    })
  })
  // Without git itself, or when the reader stops early, nobody takes what is written: `listed` says what happened.
  cat.on('error', () => {})
  cat.stdin.on('error', () => {})
  const paths: string[] = []
  feed(list.stdout, cat.stdin, paths).catch(() => cat.stdin.end())
  try {
    yield* objects(cat.stdout, paths)
    if ((await listed) !== 0)
      throw new CliError(EXIT.usage, `${folder} is no git repository that can be read: ${said.trim()}`)
  } finally {
    list.kill()
    cat.kill()
  }
}

/** Hands each object's name on, and notes its path in the same order: as many as are under way, and no more. */
async function feed(lines: AsyncIterable<Buffer>, into: Writable, paths: string[]): Promise<void> {
  for await (const line of linesOf(lines)) {
    const [name, ...path] = line.split(' ')
    paths.push(path.join(' '))
    if (!into.write(`${name}\n`)) await once(into, 'drain')
  }
  into.end()
}

/** `git cat-file --batch`: a header `<name> <type> <size>`, so many bytes, a line feed. */
async function* objects(
  bytes: AsyncIterable<Buffer>,
  paths: string[],
): AsyncGenerator<Source, void, undefined> {
  const input = bytes[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  const more = async (): Promise<boolean> => {
    const { done, value } = await input.next()
    if (done) return false
    rest = rest.length === 0 ? value : Buffer.concat([rest, value])
    return true
  }
  for (;;) {
    let end: number
    while ((end = rest.indexOf(0x0a)) < 0) if (!(await more())) return
    const [name = '', type = '', size] = rest.subarray(0, end).toString().split(' ')
    rest = rest.subarray(end + 1)
    const path = paths.shift() ?? ''
    // An object that a shallow clone lacks has a header alone.
    if (size === undefined) continue
    let left = Number(size)
    const pieces = async function* (): AsyncGenerator<Buffer, void, undefined> {
      while (left > 0) {
        if (rest.length === 0 && !(await more())) return
        const piece = rest.subarray(0, left)
        rest = rest.subarray(piece.length)
        left -= piece.length
        yield piece
      }
    }
    // A tree holds names alone; those of its files come with the files.
    if (type !== 'tree') yield { name: path === '' ? `(${type})` : path, blob: name, pieces: pieces() }
    for await (const _ of pieces());
    while (rest.length === 0) if (!(await more())) return
    rest = rest.subarray(1)
  }
}

/** The commit that brought an object in: the oldest that has it. Undefined where git cannot say. */
export function commitOf(folder: string, blob: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(
      'git',
      ['-C', folder, 'log', '--all', '--reverse', '--format=%H', `--find-object=${blob}`],
      { maxBuffer: 1024 * 1024 },
      (error, stdout) => resolve(error ? undefined : stdout.split('\n')[0] || undefined),
    )
  })
}
