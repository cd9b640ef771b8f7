/**
 * `npm run demo:leak`: Postern and the orders API of `node-http` as processes of their own, and a report, signed as
 * GitHub signs, that a key of theirs was found in public. Prints how long it took until the API refused it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { leakKey, startScanner } from './leak.ts'

const ROOT = join(import.meta.dirname, '../..')
const children: ChildProcess[] = []

/** Starts a program; answers what it prints, up to the line that fits. */
async function start(args: string[], env: NodeJS.ProcessEnv, last: RegExp): Promise<string> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let said = ''
  for await (const line of createInterface({ input: child.stdout })) {
    said += `${line}\n`
    if (last.test(line)) return said
  }
  throw new Error(`${args[0]} ended before it was ready.`)
}

function wordAfter(text: string, before: RegExp): string {
  const [, word] = new RegExp(`${before.source}\\s*(\\S+)`).exec(text) ?? []
  if (word === undefined) throw new Error(`Nothing stands after ${before.source}.`)
  return word
}

const data = mkdtempSync(join(tmpdir(), 'postern-leak-'))
const scanner = await startScanner()
try {
  const postern = await start(
    ['server/bin/postern.js', 'serve', '--port', '0', '--data', data],
    { POSTERN_LEAKS_GITHUB_KEYS_URL: scanner.keysUrl, POSTERN_LOG_LEVEL: 'error' },
    /^What next/,
  )
  const posternUrl = wordAfter(postern, /is ready at/).replace(/\/$/, '')
  const key = wordAfter(postern, /call your API/)
  const orders = await start(
    ['examples/node-http/server.ts'],
    { POSTERN_SERVER: posternUrl, POSTERN_CREDENTIAL: wordAfter(postern, /manage Postern/), PORT: '0' },
    /listening/,
  )
  const ordersUrl = `http://localhost:${wordAfter(orders, /port:/)}/orders`
  const { before, after, label, reportedMs, refusedMs } = await leakKey(
    { posternUrl, ordersUrl, key },
    scanner,
  )
  console.log(`
A key of a running API, found in https://github.com/octocat/hello-world/blob/main/.env

  before the report, the API answers      ${before}
  Postern answers the signed report       ${label}, after ${reportedMs.toFixed(0)} ms
  the API refuses the key with            ${after}, after ${refusedMs.toFixed(0)} ms`)
  process.exitCode = before === 200 && after === 401 ? 0 : 1
} finally {
  for (const child of children) child.kill()
  scanner.close()
  rmSync(data, { recursive: true, force: true })
}
