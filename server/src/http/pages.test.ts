import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { DENIALS, ERRORS } from '../kernel/index.ts'
import { errorsTable, EXPLAINED_DENIALS, EXPLAINED_ERRORS } from './error-meanings.ts'
import {
  createMetrics,
  mountDocsPage,
  mountErrorsPage,
  mountFrontPage,
  mountHealth,
  mountMetrics,
  mountOpenApi,
  openApiOf,
} from './index.ts'
import { AUTHORIZED, declareTestRoutes, OPERATOR, testServer } from './test-server.ts'

const ISSUER = 'https://auth.example.com/<x>'

function site(
  ready = async () => ({ ok: true, checks: {} as Record<string, { ok: boolean; detail?: string }> }),
) {
  const metrics = createMetrics()
  const { server } = testServer({
    metrics,
    authenticate: ({ headers }) =>
      headers.authorization === undefined
        ? { valid: false, code: 'missing', detail: '' }
        : { ...OPERATOR, scopes: ['audit:read'] },
  })
  declareTestRoutes(server)
  const document = openApiOf(server, { issuer: ISSUER, version: '0.1.0' })
  mountOpenApi(server, document)
  mountDocsPage(server, document)
  mountErrorsPage(server)
  mountFrontPage(server, ISSUER)
  mountHealth(server, ready)
  mountMetrics(server, metrics)
  return { server, metrics }
}

describe('pages', () => {
  test('have no script, and a policy that allows their own style alone', async () => {
    const { server } = site()
    for (const url of ['/', '/docs', '/docs/errors']) {
      const { body, headers, statusCode } = await server.inject(url)
      assert.equal(statusCode, 200)
      assert.match(String(headers['content-type']), /^text\/html; charset=utf-8$/)
      assert.doesNotMatch(body, /<script|\son\w+=|style="|javascript:/)
      const style = /<style>([^]*)<\/style>/.exec(body)?.[1] ?? ''
      const hash = createHash('sha256').update(style).digest('base64')
      assert.ok(String(headers['content-security-policy']).includes(`style-src 'sha256-${hash}'`))
      assert.ok(String(headers['content-security-policy']).startsWith("default-src 'none'"))
    }
  })

  test('escape what they show', async () => {
    const { server } = site()
    for (const url of ['/', '/docs']) {
      const { body } = await server.inject(url)
      assert.ok(!body.includes('<x>') && body.includes('&#60;x&#62;'))
    }
  })

  test('say how each of the four may call, and what is not in this version', async () => {
    const { body } = await site().server.inject('/')
    assert.equal(body.match(/<section class="card">/g)?.length, 4)
    for (const text of ['keys create', 'clients create', 'token-exchange', 'passkeys and other providers come next'])
      assert.ok(body.includes(text), text)
  })

  test('the API page has every route, its scope and an example', async () => {
    const { body } = await site().server.inject('/docs')
    for (const text of ['/v1/keys/{id}/revoke', 'keys:write', 'Idempotency-Key', 'at most 100 characters'])
      assert.ok(body.includes(text), text)
    assert.ok(body.includes('curl -X POST') && body.includes('name&#34;:&#34;Acme'))
  })
})

describe('errors', () => {
  const codes = [...Object.keys(ERRORS), ...Object.keys(DENIALS)]

  test('no code means two things', () => assert.equal(new Set(codes).size, codes.length))

  test('the page has an anchor for every code', async () => {
    const { body } = await site().server.inject('/docs/errors')
    for (const code of codes) assert.ok(body.includes(`<dt id="${code}">`), code)
  })

  test('docs/errors.md has the tables as the code has them', () => {
    const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
    for (const table of [errorsTable(EXPLAINED_ERRORS), errorsTable(EXPLAINED_DENIALS)])
      assert.ok(page.includes(table), `paste this into docs/errors.md:\n${table}`)
  })
})

describe('the OpenAPI document', () => {
  test('has every route with its access, its closed body and its problems', async () => {
    const answer = await site().server.inject('/openapi.json')
    const { openapi, paths, components } = answer.json()
    assert.equal(openapi, '3.1.0')
    const issue = paths['/v1/keys'].post
    assert.equal(issue['x-postern-scope'], 'keys:write')
    assert.deepEqual(issue.security, [{ bearer: [] }, { apiKey: [] }])
    assert.equal(issue.requestBody.content['application/json'].schema.additionalProperties, false)
    assert.deepEqual(Object.keys(issue.responses), [
      '201',
      '400',
      '401',
      '403',
      '409',
      '413',
      '415',
      '422',
      '429',
      '503',
    ])
    assert.equal(paths['/v1/keys/{id}/revoke'].post.requestBody.required, false)
    assert.deepEqual(paths['/healthz'].get.security, [])
    assert.ok(components.schemas.Problem)
    assert.equal(paths['/docs'], undefined)
    const ids = Object.values(paths).flatMap((path) =>
      Object.values(path as object).map((one) => one.operationId),
    )
    assert.equal(new Set(ids).size, ids.length)
  })
})

describe('health', () => {
  test('is alive, and ready as the port says', async () => {
    const { server } = site()
    assert.deepEqual((await server.inject('/healthz')).json(), { status: 'ok' })
    assert.equal((await server.inject('/readyz')).statusCode, 200)
  })

  test('is not ready when a check fails, throws or hangs, or when the server shuts down', async () => {
    const failing = site(async () => ({
      ok: false,
      checks: { database: { ok: false, detail: 'locked' } },
    })).server
    const answer = await failing.inject('/readyz')
    assert.equal(answer.statusCode, 503)
    assert.deepEqual(answer.json(), {
      status: 'unavailable',
      checks: { database: { ok: false, detail: 'locked' } },
    })
    assert.equal((await site(() => Promise.reject(new Error('no'))).server.inject('/readyz')).statusCode, 503)
    assert.equal((await site(() => new Promise(() => {})).server.inject('/readyz')).statusCode, 503)
    const { server } = site()
    server.posternHttp.draining = true
    assert.equal((await server.inject('/readyz')).statusCode, 503)
    assert.equal((await server.inject('/healthz')).statusCode, 200)
  })
})

describe('metrics', () => {
  test('count requests by route and status, decisions by code, and the age of the feed', async () => {
    const { server, metrics } = site()
    metrics.watchFeedAge(() => 0.25)
    metrics.countDecision('valid')
    metrics.countDecision('revoked')
    metrics.countDecision('revoked')
    await server.inject({ url: '/nowhere' })
    await server.inject({ url: '/healthz' })
    const { body, headers } = await server.inject('/metrics')
    assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/)
    for (const line of [
      'postern_verify_decisions_total{code="revoked"} 2',
      'postern_feed_age_seconds 0.25',
      'postern_http_request_duration_seconds_count{route="/healthz",status="200"} 1',
      'postern_http_request_duration_seconds_bucket{route="*",status="404",le="+Inf"} 1',
      'postern_process_resident_memory_bytes',
    ])
      assert.ok(body.includes(line), line)
  })

  test('are open to this machine alone; others need audit:read', async () => {
    const { server } = site()
    const status = async (headers: Record<string, string>, remoteAddress = '127.0.0.1') =>
      (await server.inject({ url: '/metrics', headers, remoteAddress })).statusCode
    assert.equal(await status({ host: 'localhost:4800' }), 200)
    assert.equal(await status({ host: '[::1]:4800' }, '::1'), 200)
    assert.equal(await status({ host: 'localhost:4800' }, '192.0.2.1'), 401)
    assert.equal(await status({ host: 'evil.example' }), 401)
    for (const header of ['x-forwarded-for', 'forwarded', 'via'])
      assert.equal(await status({ host: 'localhost', [header]: '127.0.0.1' }), 401)
    assert.equal(await status({ host: 'auth.example.com', ...AUTHORIZED }, '192.0.2.1'), 200)
  })
})
