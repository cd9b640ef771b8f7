import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type } from 'typebox'
import { denial, PosternError } from '../kernel/index.ts'
import { declareRoute, sendJson } from './index.ts'
import { AUTHORIZED, declareTestRoutes, KEY, OPERATOR, testServer } from './test-server.ts'

const NEW_KEY = { method: 'POST', url: '/v1/keys', payload: { name: 'x' } } as const

describe('access', () => {
  test('a route without an access stops the start', () => {
    const { server } = testServer()
    assert.throws(
      () => server.get('/open', () => 'x'),
      /GET \/open has no access: add routes with declareRoute/,
    )
  })

  test('answers 401 without a credential, with a challenge that has no error attribute', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    const answer = await server.inject(NEW_KEY)
    assert.equal(answer.statusCode, 401)
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="postern"')
    assert.equal(answer.json().code, 'missing')
  })

  test('answers 401 for a wrong credential, with error="invalid_token"', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    const answer = await server.inject({ ...NEW_KEY, headers: { authorization: 'Bearer x' } })
    assert.equal(answer.statusCode, 401)
    assert.match(
      String(answer.headers['www-authenticate']),
      /^Bearer realm="postern", error="invalid_token", error_d/,
    )
    assert.equal(answer.json().type, '/docs/errors#unknown')
  })

  test('answers 403 for a missing scope, and names it in the challenge', async () => {
    const { server } = testServer({ authenticate: () => ({ ...OPERATOR, scopes: ['keys:read'] }) })
    declareTestRoutes(server)
    for (const [url, scope] of [
      ['/v1/keys', 'keys:write'],
      ['/v1/verify', 'verify'],
    ] as const) {
      const answer = await server.inject({ method: 'POST', url, payload: {}, headers: AUTHORIZED })
      assert.equal(answer.statusCode, 403)
      assert.ok(String(answer.headers['www-authenticate']).includes(`error="insufficient_scope"`))
      assert.ok(String(answer.headers['www-authenticate']).includes(`scope="${scope}"`))
    }
  })

  test('gives the handler its caller, from a port that answers at once or later', async () => {
    for (const authenticate of [() => OPERATOR, async () => OPERATOR]) {
      const { server } = testServer({ authenticate })
      declareTestRoutes(server)
      const answer = await server.inject(NEW_KEY)
      assert.equal(answer.statusCode, 201)
      assert.equal(answer.json().caller, OPERATOR.id)
    }
  })

  test('answers 503 when the credential cannot be checked, never a false 200', async () => {
    const failure = new PosternError('storage_unavailable', 'The database is locked.', {
      cause: new Error('SQLITE_BUSY'),
    })
    const ports = [
      () => {
        throw failure
      },
      () => Promise.reject(failure),
      () => denial('unavailable'),
    ]
    for (const authenticate of ports) {
      const { server } = testServer({ authenticate })
      declareTestRoutes(server)
      const answer = await server.inject(NEW_KEY)
      assert.equal(answer.statusCode, 503)
      assert.ok(Number(answer.headers['retry-after']) > 0)
    }
  })

  test('refuses before it reads the body', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    const answer = await server.inject({
      method: 'POST',
      url: '/v1/keys',
      payload: '{{{',
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(answer.statusCode, 401)
  })
})

describe('limits', () => {
  test('asks by address before the credential and by caller after it, with the route’s pattern', async () => {
    const asked: object[] = []
    const { server } = testServer({ admit: (request) => void asked.push(request) })
    declareTestRoutes(server)
    await server.inject({ method: 'POST', url: '/v1/keys/key_9/revoke', headers: AUTHORIZED })
    assert.deepEqual(asked, [
      { ip: '127.0.0.1', route: '/v1/keys/:id/revoke' },
      { ip: '127.0.0.1', route: '/v1/keys/:id/revoke', callerId: 'key_1' },
    ])
  })

  test('counts only refused requests by address on the verifier’s route', async () => {
    const asked: object[] = []
    const { server } = testServer({ admit: (request) => void asked.push(request) })
    declareTestRoutes(server)
    await server.inject({
      method: 'POST',
      url: '/v1/verify',
      headers: AUTHORIZED,
      payload: { credential: '' },
    })
    assert.deepEqual(asked, [{ ip: '127.0.0.1', route: '/v1/verify', callerId: 'key_1' }])
    await server.inject({ method: 'POST', url: '/v1/verify', payload: { credential: '' } })
    assert.deepEqual(asked[1], { ip: '127.0.0.1', route: '/v1/verify' })
  })

  test('answers 429 with Retry-After, on unknown paths too', async () => {
    const { server } = testServer({ admit: () => denial('rate_limited', { retryAfterSeconds: 2.2 }) })
    declareTestRoutes(server)
    for (const url of ['/v1/keys', '/nowhere']) {
      const answer = await server.inject({ method: 'GET', url, headers: AUTHORIZED })
      assert.equal(answer.statusCode, 429)
      assert.equal(answer.headers['retry-after'], '3')
    }
  })

  test('believes X-Forwarded-For and X-Request-Id from a trusted proxy alone', async () => {
    for (const [trusted, ip, id] of [
      ['127.0.0.0/8', '203.0.113.7', 'from-proxy'],
      ['10.0.0.0/8', '127.0.0.1', undefined],
    ] as const) {
      const asked: { ip: string }[] = []
      const { server } = testServer({
        trustedProxies: [trusted],
        admit: (request) => void asked.push(request),
      })
      const headers = { 'x-forwarded-for': '198.51.100.1, 203.0.113.7', 'x-request-id': 'from-proxy' }
      const answer = await server.inject({ url: '/', headers })
      assert.equal(asked[0]?.ip, ip)
      if (id === undefined) assert.notEqual(answer.headers['x-request-id'], 'from-proxy')
      else assert.equal(answer.headers['x-request-id'], id)
    }
  })
})

describe('answers', () => {
  test('carry security headers and a request id, good and bad alike', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    for (const request of [
      { ...NEW_KEY, headers: AUTHORIZED },
      NEW_KEY,
      { method: 'GET', url: '/nowhere' } as const,
    ]) {
      const { headers } = await server.inject(request)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.equal(headers['cache-control'], 'no-store')
      assert.match(String(headers['content-security-policy']), /default-src 'none'/)
      assert.match(String(headers['x-request-id']), /^[\w-]{8,}$/)
    }
  })

  test('may be JSON text already, which goes out as it is', async () => {
    const { server } = testServer()
    declareRoute(server, {
      method: 'GET',
      url: '/raw',
      access: { kind: 'public', why: 'test' },
      summary: 'Raw',
      tags: ['test'],
      schema: { response: { 200: Type.Object({ a: Type.Integer() }) } },
      handler: (_request, reply) => sendJson(reply, '{"a":1,"b":2}'),
    })
    const answer = await server.inject('/raw')
    assert.equal(answer.body, '{"a":1,"b":2}')
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  })

  test('say nothing of an unexpected failure, whose cause is in the log by the request id', async () => {
    const { server, lines } = testServer()
    declareRoute(server, {
      method: 'GET',
      url: '/broken',
      access: { kind: 'public', why: 'test' },
      summary: 'Broken',
      tags: ['test'],
      schema: { response: {} },
      handler: () => {
        throw new Error('outer', { cause: new Error(`the driver said: no entry for ${KEY}`) })
      },
    })
    const answer = await server.inject('/broken')
    assert.equal(answer.statusCode, 500)
    assert.equal(answer.json().code, 'internal_error')
    assert.ok(!answer.body.includes('outer') && !answer.body.includes('at '))
    const line = lines.find((one) => one.includes('the driver said')) ?? ''
    assert.ok(line.includes(String(answer.headers['x-request-id'])))
    assert.ok(line.includes('postern_live_[redacted]') && !line.includes(KEY))
  })

  test('name the methods of a known path with 405 and Allow, and an unknown path with 404', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    const wrong = await server.inject({ method: 'DELETE', url: '/v1/keys?x=1' })
    assert.equal(wrong.statusCode, 405)
    assert.equal(wrong.headers.allow, 'GET, HEAD, POST')
    const unknown = await server.inject('/v2/keys')
    assert.equal(unknown.statusCode, 404)
    assert.equal(unknown.json().code, 'not_found')
  })
})
