/** One API behind each of the four adapters, in the real frameworks; a caller must not be able to tell them apart. */
import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { test } from 'node:test'
import type { Verifier } from '../src/index.ts'
import { expressApi } from './support/express-api.ts'
import { answerJson, fakeServer } from './support/fake-server.ts'
import { fastifyApi } from './support/fastify-api.ts'
import { honoApi } from './support/hono-api.ts'
import { nodeApi } from './support/node-api.ts'
import { verifierFor } from './support/verifier.ts'
import { accepted, aKey, refused, RESOURCE } from './support/wire.ts'

/**
 * Serves `GET /orders` (orders:read), `POST /orders` (orders:read and orders:write), `GET /optional` (orders:read, if
 * anyone), `GET /strong` (orders:read, signed in by `high` within ten minutes, closed while the feed is silent) and
 * `GET /v2/orders` (orders:read, in a nested router), and answers `{ sub }`. `forwarded` makes it take
 * the address from `X-Forwarded-For`, the framework's own way.
 */
export type StartApi = (verifier: Verifier, options?: { forwarded?: boolean }) => Promise<Api>

export interface Api {
  readonly port: number
  close(): Promise<void> | void
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Readonly<Record<string, unknown>>
}

const APIS: Readonly<Record<string, StartApi>> = {
  express: expressApi,
  fastify: fastifyApi,
  hono: honoApi,
  node: nodeApi,
}

const KEY = aKey()
const BEARER = ['Authorization', `Bearer ${KEY}`]

function call(port: number, path: string, fields: readonly string[] = [], method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { port, path, method, headers: ['Host', 'localhost', 'Content-Length', '0', ...fields] },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (text += chunk))
        response.on('end', () => {
          const body = (text === '' ? {} : JSON.parse(text)) as Answer['body']
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body })
        })
      },
    )
    request.on('error', reject)
    request.end()
  })
}

function isProblem(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, JSON.stringify(answer.body))
  assert.match(answer.headers['content-type'] ?? '', /^application\/problem\+json/)
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.equal(answer.body['status'], status)
  assert.equal(answer.body['code'], code)
  assert.equal(typeof answer.body['title'], 'string')
  assert.equal(typeof answer.body['detail'], 'string')
}

for (const [name, start] of Object.entries(APIS)) {
  test(`${name}: hands the principal to the handler, first and from the cache`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    for (const fields of [BEARER, BEARER, ['X-API-Key', KEY]]) {
      const answer = await call(api.port, '/orders', fields)
      assert.equal(answer.status, 200)
      assert.deepEqual(answer.body, { sub: 'acct_7' })
    }
    assert.equal(server.questions.length, 1)
  })

  test(`${name}: answers 401 with a bare challenge to who presents nothing`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    const answer = await call(api.port, '/orders')
    isProblem(answer, 401, 'missing')
    assert.equal(answer.headers['www-authenticate'], `Bearer realm="${RESOURCE}"`)
    assert.equal(server.questions.length, 0)
  })

  test(`${name}: answers 401 to a refused credential, first and from the cache`, async (t) => {
    const server = await fakeServer(t, refused('revoked'))
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    for (let round = 0; round < 2; round++) {
      const answer = await call(api.port, '/orders', BEARER)
      isProblem(answer, 401, 'revoked')
      assert.match(answer.headers['www-authenticate'] ?? '', /error="invalid_token"/)
    }
  })

  test(`${name}: answers 403 with the scopes that the route needs`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    const answer = await call(api.port, '/orders', BEARER, 'POST')
    isProblem(answer, 403, 'insufficient_scope')
    assert.match(
      answer.headers['www-authenticate'] ?? '',
      /error="insufficient_scope".*scope="orders:read orders:write"/,
    )
    server.script = accepted({ principal: { scopes: ['orders:write', 'orders:read'] } })
    assert.equal((await call(api.port, '/orders', ['X-API-Key', aKey(2)], 'POST')).status, 200)
  })

  test(`${name}: answers 429 and 503 with Retry-After`, async (t) => {
    const server = await fakeServer(t, refused('rate_limited', { retry_after_seconds: 9 }))
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    const limited = await call(api.port, '/orders', BEARER)
    isProblem(limited, 429, 'rate_limited')
    assert.equal(limited.headers['retry-after'], '9')
    server.script = (response) => answerJson(response, {}, 500)
    const away = await call(api.port, '/orders', BEARER)
    isProblem(away, 503, 'unavailable')
    assert.equal(away.headers['retry-after'], '1')
  })

  test(`${name}: refuses two credentials, also in one repeated header`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    isProblem(await call(api.port, '/orders', [...BEARER, 'X-API-Key', KEY]), 401, 'multiple_credentials')
    isProblem(await call(api.port, '/orders', [...BEARER, ...BEARER]), 401, 'multiple_credentials')
    isProblem(
      await call(api.port, '/orders', ['X-API-Key', KEY, 'x-api-key', aKey(2)]),
      401,
      'multiple_credentials',
    )
  })

  test(`${name}: refuses a key in the URL, in a nested router too`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    isProblem(await call(api.port, `/orders?api_key=${KEY}`, BEARER), 401, 'exposed_in_url')
    isProblem(await call(api.port, `/v2/orders?x=${KEY}`), 401, 'exposed_in_url')
    assert.equal((await call(api.port, '/v2/orders?x=1', BEARER)).status, 200)
  })

  test(`${name}: serves anonymous callers where that is allowed, and still refuses a bad credential`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    assert.deepEqual((await call(api.port, '/optional')).body, { sub: null })
    assert.deepEqual((await call(api.port, '/optional', BEARER)).body, { sub: 'acct_7' })
    isProblem(await call(api.port, '/optional', ['X-API-Key', '']), 401, 'malformed')
    isProblem(await call(api.port, `/optional?key=${KEY}`), 401, 'exposed_in_url')
    server.script = accepted({ principal: { scopes: [] } })
    isProblem(await call(api.port, '/optional', ['X-API-Key', aKey(2)]), 403, 'insufficient_scope')
    server.script = refused('unknown')
    isProblem(await call(api.port, '/optional', ['X-API-Key', aKey(3)]), 401, 'unknown')
  })

  test(`${name}: knows the caller by the socket's address, and by a proxy's header only when told so`, async (t) => {
    const server = await fakeServer(t, accepted({ constraints: { ip_allow: ['203.0.113.0/24'] } }))
    const claimed = [...BEARER, 'X-Forwarded-For', '203.0.113.9']
    const direct = await start(verifierFor(server))
    t.after(() => direct.close())
    isProblem(await call(direct.port, '/orders', claimed), 403, 'ip_not_allowed')
    const proxied = await start(verifierFor(server), { forwarded: true })
    t.after(() => proxied.close())
    assert.equal((await call(proxied.port, '/orders', claimed)).status, 200)
    isProblem(
      await call(proxied.port, '/orders', [...BEARER, 'X-Forwarded-For', '192.0.2.1']),
      403,
      'ip_not_allowed',
    )
    server.script = accepted({ constraints: { ip_allow: ['127.0.0.0/8', '::1'] } })
    assert.equal((await call(direct.port, '/orders', ['X-API-Key', aKey(2)])).status, 200)
  })

  test(`${name}: answers a HEAD request with the same status and no body`, async (t) => {
    const server = await fakeServer(t, accepted())
    const api = await start(verifierFor(server))
    t.after(() => api.close())
    const answer = await call(api.port, '/orders', [], 'HEAD')
    assert.equal(answer.status, 401)
    assert.deepEqual(answer.body, {})
  })
}
