/** Real processes for the tests: started on a program beside this file, heard line by line, ended for certain. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The server's own: a child that strips no types starts in half the time. */
const COMPILED = join(import.meta.dirname, '../../../node_modules/.cache/postern')

export interface Child {
  readonly process: ChildProcess
  /** Every line of standard output so far; whole once `exited` has resolved. */
  readonly lines: string[]
  /** What it wrote to standard error. */
  errors(): string
  /** Resolves at a line that fits; rejects when the child ends without one. */
  line(fits: (line: string) => boolean): Promise<string>
  /** The exit code, or the signal's name, once all output has been read. */
  readonly exited: Promise<number | string>
}

/** `input` is handed over as JSON in the first argument. */
export function startChild(program: string, input: unknown, env: NodeJS.ProcessEnv = {}): Child {
  return startNode([join(import.meta.dirname, program), JSON.stringify(input)], env)
}

export function startNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { NODE_COMPILE_CACHE: COMPILED, ...process.env, ...env },
  })
  const lines: string[] = []
  const waiting = new Set<(line: string) => void>()
  let errors = ''
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    for (const look of waiting) look(line)
  })
  const exited = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => resolve(code ?? signal ?? 'unknown')),
  )
  const endWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', endWithUs)
  void exited.then(() => process.off('exit', endWithUs))
  return {
    process: child,
    lines,
    errors: () => errors,
    exited,
    line(fits) {
      const said = lines.find(fits)
      if (said !== undefined) return Promise.resolve(said)
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const look = (line: string): void => {
        if (!fits(line)) return
        waiting.delete(look)
        resolve(line)
      }
      waiting.add(look)
      void exited.then((how) => reject(new Error(`The child ended (${how}) first. ${errors}`)))
      return promise
    },
  }
}
