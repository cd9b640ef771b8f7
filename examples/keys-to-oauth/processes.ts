/** Postern on a folder that is thrown away, and the orders API, each as a process of its own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const POSTERN = join(import.meta.dirname, '../../server/bin/postern.js')
const API = join(import.meta.dirname, 'server.ts')

export interface Running {
  readonly url: string
  stop(): Promise<void>
}

/** What `npm start` does, and the operator key that its first start prints. */
export async function startPostern(): Promise<Running & { readonly operatorKey: string }> {
  const data = mkdtempSync(join(tmpdir(), 'keys-to-oauth-'))
  const port = await freePort()
  const env = { POSTERN_DATA: data, POSTERN_PORT: String(port), POSTERN_LOG_LEVEL: 'error' }
  const { found, stop } = await start([POSTERN, 'serve'], env, /manage Postern +(\S+)/)
  return {
    url: `http://localhost:${port}`,
    operatorKey: found,
    async stop() {
      await stop()
      rmSync(data, { recursive: true, force: true })
    },
  }
}

/** The API, which knows where Postern is and has a credential of its own to ask with. */
export async function startApi(server: string, credential: string): Promise<Running> {
  const env = { POSTERN_SERVER: server, POSTERN_CREDENTIAL: credential, PORT: '0' }
  const { found, stop } = await start([API], env, /port: (\d+)/)
  return { url: `http://localhost:${found}`, stop }
}

/** Resolves with what the pattern found in the output; rejects when the process ends without saying it. */
function start(
  parameters: readonly string[],
  env: NodeJS.ProcessEnv,
  saying: RegExp,
): Promise<{ readonly found: string; readonly stop: () => Promise<void> }> {
  const child = spawn(process.execPath, parameters, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const stop = (): Promise<void> => {
    child.kill()
    return ended
  }
  let output = ''
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += String(chunk)
      const found = saying.exec(output)?.[1]
      if (found !== undefined) resolve({ found, stop })
    })
    void ended.then(() => reject(new Error(`It ended before it was ready: ${output}`)))
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, 'localhost', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
