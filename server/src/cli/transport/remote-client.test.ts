import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, it } from 'node:test'
import { capture, NO_DEPS } from '../testing/capture.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server that answers as each test says, by the number of the request. */
let server: Server
let seen: Seen[]
let answer: (request: Seen, count: number, response: ServerResponse) => void
let env: NodeJS.ProcessEnv

beforeEach(async () => {
  seen = []
  server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { method = '', url = '', headers } = request
    seen.push({ method, url, headers, body })
    answer({ method, url, headers, body }, seen.length, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  env = { POSTERN_URL: `http://127.0.0.1:${port}`, POSTERN_OPERATOR_KEY: 'the-operator-key' }
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const postern = (...argv: string[]) => capture(argv, NO_DEPS, { env })

function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

it('repeats a creation whose answer was lost under the same Idempotency-Key', async () => {
  answer = (_request, count, response) =>
    count === 1 ? response.destroy() : json(response, { id: 'ten_1', name: 'Acme', metadata: {} }, 201)
  const { exitCode, stderr } = await postern('tenants', 'create', '--name', 'Acme', '--json')
  assert.equal(exitCode, 0, stderr)
  const keys = seen.map(({ headers }) => headers['idempotency-key'])
  assert.equal(keys.length, 2)
  assert.ok(keys[0])
  assert.equal(keys[0], keys[1])
})

it('does not repeat a change that may have been made, unless it is safe to', async () => {
  answer = (_request, _count, response) => response.destroy()
  const { exitCode } = await postern('tenants', 'disable', 'ten_1')
  assert.equal(exitCode, 4)
  assert.equal(seen.length, 1)
})

it('waits as long as a 429 says', async () => {
  answer = (_request, count, response) =>
    count === 1
      ? json(response, { code: 'too_many_requests' }, 429, { 'retry-after': '1' })
      : json(response, { data: [], next_cursor: null })
  const startedMs = performance.now()
  assert.equal((await postern('tenants', 'list')).exitCode, 0)
  assert.ok(performance.now() - startedMs >= 900)
})

it('takes the operator key nowhere else', async () => {
  answer = (_request, _count, response) => response.writeHead(307, { location: '/elsewhere' }).end()
  const { exitCode } = await postern('tenants', 'list')
  assert.equal(exitCode, 1)
  assert.deepEqual(
    seen.map(({ url }) => url),
    ['/v1/tenants'],
  )
})

it('says so when something else than Postern answers', async () => {
  answer = (_request, _count, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
  const { exitCode, stderr } = await postern('tenants', 'list')
  assert.equal(exitCode, 4)
  assert.match(stderr, /did not answer as a Postern server does/)
})

it('revokes in bulk only as many keys as were shown', async () => {
  answer = ({ body }, _count, response) =>
    json(response, { dry_run: body.includes('dry_run'), matched: 7, revoked: 7, by_owner: [], sample: [] })
  await postern('keys', 'bulk-revoke', '--owner', 'acme', '--yes')
  const [asked, done] = seen.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
  assert.deepEqual(asked, { filter: { owner: 'acme' }, dry_run: true })
  assert.deepEqual(done, { filter: { owner: 'acme' }, expected_count: 7 })
})

it('sends no key that was given in place of its id', async () => {
  answer = (_request, _count, response) => json(response, {})
  const key = `sk_live_${'A'.repeat(50)}`
  for (const argv of [
    ['keys', 'show', key],
    ['keys', 'revoke', key],
    ['keys', 'list', '--owner', key],
    ['audit', 'list', '--target', key],
  ]) {
    const { exitCode, stderr } = await postern(...argv)
    assert.equal(exitCode, 2)
    assert.match(stderr, /Give its id/)
  }
  assert.equal(seen.length, 0)
})

it('asks for all pages of a list, one after the other', async () => {
  answer = ({ url }, _count, response) =>
    json(
      response,
      url.includes('cursor')
        ? { data: [{ id: 2 }], next_cursor: null }
        : { data: [{ id: 1 }], next_cursor: 'next' },
    )
  assert.equal((await postern('tenants', 'list', '--all', '--json')).stdout, '{"id":1}\n{"id":2}\n')
})
