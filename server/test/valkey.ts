/** A Valkey (or Redis) of a test's own, on loopback, without persistence. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:net'

/** Undefined where neither is installed: .ci/run installs one. */
const BINARY = ['valkey-server', 'redis-server'].find((name) => {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
})

/** For `describe`: why its tests are skipped, or false. */
export const WITHOUT_VALKEY = BINARY === undefined ? 'neither Valkey nor Redis is installed' : false

export interface TestValkey {
  readonly url: string
  /** Ends it; what it knew is gone. */
  stop(): Promise<void>
  /** Lets it fall silent, and go on later with all it knew. */
  pause(): void
  resume(): void
  /** Starts it again on the same port, empty. */
  start(): Promise<void>
}

export async function startValkey(): Promise<TestValkey> {
  const port = await freePort()
  let child: ChildProcess | undefined
  const valkey: TestValkey = {
    url: `redis://127.0.0.1:${port}`,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async start() {
      const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
      const started = spawn(BINARY as string, words, { stdio: ['ignore', 'pipe', 'ignore'] })
      child = started
      await new Promise<void>((resolve, reject) => {
        started.once('exit', (code) => reject(new Error(`Valkey ended with ${code}.`)))
        started.stdout.on('data', (text) => {
          if (String(text).includes('Ready to accept connections')) resolve()
        })
      })
    },
    async stop() {
      const ending = child
      child = undefined
      if (!ending || ending.exitCode !== null) return
      const ended = new Promise((resolve) => ending.once('exit', resolve))
      ending.kill('SIGKILL')
      await ended
    },
  }
  await valkey.start()
  return valkey
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
