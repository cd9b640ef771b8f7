import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { capture, NO_DEPS } from '../testing/capture.ts'

const LINES = ['one', 'two', 'three'].map((owner) =>
  JSON.stringify({ old: { owner }, key: { owner, key: `secret of ${owner}` } }),
)

/** A server whose connection breaks after `cuts[n]` lines of the n-th answer; -1: before the first. */
describe('a bulk rotation whose stream is cut', () => {
  let server: Server
  let cuts: number[] = []
  let requests: { key: string; body: string }[] = []
  let folder: string
  let env: NodeJS.ProcessEnv

  beforeEach(async () => {
    requests = []
    folder = mkdtempSync(join(tmpdir(), 'postern-rotate-'))
    server = createServer(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += String(chunk)
      if (body.includes('"dry_run":true')) {
        response.setHeader('content-type', 'application/json')
        return response.end(JSON.stringify({ dry_run: true, matched: 3, by_owner: [], sample: [] }))
      }
      if (!request.url?.includes('bulk-rotate')) return response.writeHead(404).end()
      requests.push({ key: String(request.headers['idempotency-key']), body })
      const cut = cuts.shift()
      if (cut === -1) return response.destroy()
      response.setHeader('content-type', 'application/x-ndjson')
      for (const line of LINES.slice(0, cut)) response.write(`${line}\n`)
      if (cut === undefined) return response.end(`${JSON.stringify({ done: true, rotated: 3 })}\n`)
      return setTimeout(() => response.destroy(), 20)
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    env = { POSTERN_URL: `http://127.0.0.1:${port}`, POSTERN_OPERATOR_KEY: 'anything' }
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const rotate = (...argv: string[]) => capture(['keys', 'bulk-rotate', ...argv], NO_DEPS, { env })

  it('asks again with the same key and body, and hands each new key on once', async () => {
    cuts = [1, -1, 2]
    const { stdout, exitCode } = await rotate('--owner', 'acme', '--last-used-before', '90d ago', '--yes')
    assert.equal(exitCode, 0)
    assert.deepEqual(stdout.trim().split('\n'), LINES)
    assert.equal(requests.length, 4)
    assert.equal(new Set(requests.map((request) => JSON.stringify(request))).size, 1)
    assert.equal(JSON.parse(requests[0]?.body ?? '').expected_count, 3)
  })

  it('says how to go on when it stays cut, and goes on so into the same file', async () => {
    cuts = [2, ...Array.from({ length: 4 }, () => -1)]
    const file = join(folder, 'keys.ndjson')
    const broken = await rotate('--owner', 'acme', '--yes', '--output', file)
    assert.equal(broken.exitCode, 4)
    const token = /--resume (\S+)/.exec(broken.stderr)?.[1] ?? assert.fail(broken.stderr)
    assert.equal(readFileSync(file, 'utf8').trim().split('\n').length, 2)

    const resumed = await rotate('--resume', token, '--output', file)
    assert.equal(resumed.exitCode, 0, resumed.stderr)
    assert.deepEqual(readFileSync(file, 'utf8').trim().split('\n'), LINES)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(new Set(requests.map((request) => JSON.stringify(request))).size, 1)
  })

  it('writes over no file that is there', async () => {
    const file = join(folder, 'keys.ndjson')
    writeFileSync(file, 'older keys')
    const { exitCode, stderr } = await rotate('--owner', 'acme', '--yes', '--output', file)
    assert.equal(exitCode, 2)
    assert.match(stderr, /exists already/)
    assert.equal(readFileSync(file, 'utf8'), 'older keys')
    assert.equal(requests.length, 0)
  })
})
