/** A command line without a process: what it prints is text, what it reads is given. */
import { Writable } from 'node:stream'
import { type CliDeps, type CliIo, type ExitCode, runCli, TextSink } from '../index.ts'

export interface Captured {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: ExitCode
}

export interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  readonly stdin?: string | AsyncIterable<Uint8Array>
  /** Present: everything is a terminal, on which this is typed, answer by answer. */
  readonly typed?: readonly string[]
  readonly columns?: number
  readonly nowMs?: () => number
}

export async function capture(
  argv: readonly string[],
  deps: CliDeps,
  around: Surroundings = {},
): Promise<Captured> {
  const stdout = collector()
  const stderr = collector()
  const isTerminal = around.typed !== undefined
  const typed = [...(around.typed ?? [])]
  const { stdin = '' } = around
  const io: CliIo = {
    stdout: new TextSink(stdout.stream),
    stderr: new TextSink(stderr.stream),
    stdin: typeof stdin === 'string' ? bytesOf(stdin) : stdin,
    env: around.env ?? {},
    isTTY: { stdin: isTerminal, stdout: isTerminal, stderr: isTerminal },
    columns: around.columns,
    nowMs: around.nowMs ?? (() => Date.now()),
    async ask(question) {
      await io.stderr.write(`${question}\n`)
      const answer = typed.shift()
      if (answer === undefined) throw new Error(`Nothing was left to answer to: ${question}`)
      return answer
    },
  }
  const exitCode = await runCli(argv, io, deps)
  return { stdout: stdout.text(), stderr: stderr.text(), exitCode }
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  if (text !== '') yield Buffer.from(text)
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') }
}

/** For commands that open nothing. */
export const NO_DEPS: CliDeps = {
  openDeployment: () => Promise.reject(new Error('This test opens no deployment.')),
  serve: () => Promise.reject(new Error('This test serves nothing.')),
}
