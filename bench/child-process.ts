/** A process to measure: pinned to a core where the machine can, watched from outside through /proc, always ended. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The server runs on one core, whatever loads it on another. */
export const SERVER_CORE = 0
export const LOAD_CORE = 1

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0

export interface Measured {
  readonly pid: number
  readonly process: ChildProcess
  /** Resolves with the next line of standard output; rejects when the process ends first. */
  nextLine(): Promise<string>
  send(line: string): void
  residentBytes(): number
  /** Processor time used so far, in milliseconds. */
  cpuMs(): number
  end(): Promise<void>
}

export function startMeasured(
  args: readonly string[],
  { core, env = {} }: { core?: number; env?: NodeJS.ProcessEnv } = {},
): Measured {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...args]
  const [command, ...rest] = core !== undefined && canPin ? ['taskset', '-c', String(core), ...node] : node
  const child = spawn(command as string, rest, {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const endWithUs = (): void => void child.kill('SIGKILL')
  process.once('exit', endWithUs)
  const pid = child.pid as number
  return {
    pid,
    process: child,
    async nextLine() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${args.join(' ')} ended early.`)
      return value
    },
    send: (line) => void child.stdin.write(`${line}\n`),
    residentBytes: () => Number(/VmRSS:\s+(\d+) kB/.exec(proc(pid, 'status'))?.[1] ?? Number.NaN) * 1024,
    cpuMs() {
      // After the name in parentheses: user and system time, in ticks of 10 ms.
      const fields = proc(pid, 'stat').split(') ').at(-1)?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) * 10
    },
    async end() {
      child.kill('SIGTERM')
      const stubborn = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await exited
      clearTimeout(stubborn)
      process.off('exit', endWithUs)
    },
  }
}

function proc(pid: number, file: string): string {
  try {
    return readFileSync(join('/proc', String(pid), file), 'utf8')
  } catch {
    return ''
  }
}
