/** The outside world of one command: streams, environment and clock, so that a test can be all of them. */
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { CliError, EXIT, OutputClosed } from './errors.ts'

export interface CliIo {
  readonly stdout: TextSink
  readonly stderr: TextSink
  readonly stdin: AsyncIterable<Uint8Array>
  readonly env: NodeJS.ProcessEnv
  /** Which of the streams is a terminal. */
  readonly isTTY: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
  /** Of the terminal that stdout is; undefined: as wide as it takes. */
  readonly columns: number | undefined
  nowMs(): number
  /** Asks on the terminal; `hidden` shows nothing of what is typed. */
  ask(question: string, options?: { hidden?: boolean }): Promise<string>
}

/** A stream of text that waits for its reader and notices when the reader has gone. */
export class TextSink {
  readonly #stream: Writable
  #broken = false

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', () => (this.#broken = true))
  }

  /** Throws OutputClosed once nobody reads any more. */
  async write(text: string): Promise<void> {
    if (this.#broken) throw new OutputClosed()
    if (this.#stream.write(text)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stream.once('drain', resolve).once('error', resolve).once('close', resolve)
    await promise
    this.#stream.off('drain', resolve).off('error', resolve).off('close', resolve)
    if (this.#broken || this.#stream.destroyed) throw new OutputClosed()
  }
}

/** The real one. */
export function terminalIo(host: NodeJS.Process): CliIo {
  return {
    stdout: new TextSink(host.stdout),
    stderr: new TextSink(host.stderr),
    stdin: host.stdin,
    env: host.env,
    isTTY: { stdin: host.stdin.isTTY, stdout: host.stdout.isTTY, stderr: host.stderr.isTTY },
    columns: host.stdout.isTTY ? host.stdout.columns : undefined,
    nowMs: () => Date.now(),
    ask: (question, options) => askOnTerminal(host, question, options?.hidden ?? false),
  }
}

async function askOnTerminal(host: NodeJS.Process, question: string, hidden: boolean): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  if (hidden) host.stderr.write(question)
  const asking = createInterface({ input: host.stdin, output: hidden ? silent : host.stderr, terminal: true })
  const ended = Promise.withResolvers<never>()
  asking.on('close', () => ended.reject(new CliError(EXIT.failed, 'Interrupted; nothing was done.')))
  try {
    return await Promise.race([asking.question(hidden ? '' : question), ended.promise])
  } finally {
    ended.promise.catch(() => {})
    asking.close()
    if (hidden) host.stderr.write('\n')
  }
}
