import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type } from 'typebox'
import { declareRoute, idempotencyOf } from './index.ts'
import { testServer } from './test-server.ts'

const { server } = testServer()
for (const idempotent of [true, false])
  declareRoute(server, {
    method: 'POST',
    url: `/${idempotent}`,
    access: { kind: 'public', why: 'test' },
    summary: 'Echo',
    tags: ['test'],
    idempotent,
    schema: { body: Type.Object({ a: Type.Optional(Type.Integer()) }), response: { 200: Type.Unknown() } },
    handler: (request) => idempotencyOf(request) ?? { none: true },
  })

async function send(key: string | undefined, payload: string, url = '/true') {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) }
  const answer = await server.inject({ method: 'POST', url, headers, payload })
  return { status: answer.statusCode, body: answer.json() }
}

describe('the Idempotency-Key', () => {
  test('is read with a digest that is the same for the same request alone', async () => {
    const first = await send('k-1', '{"a":1}')
    assert.equal(first.body.key, 'k-1')
    assert.match(first.body.bodyDigest, /^[0-9a-f]{64}$/)
    assert.equal((await send('k-2', '{"a":1}')).body.bodyDigest, first.body.bodyDigest)
    assert.notEqual((await send('k-1', '{"a":2}')).body.bodyDigest, first.body.bodyDigest)
    assert.notEqual((await send('k-1', '{"a":1}', '/true?x=1')).body.bodyDigest, first.body.bodyDigest)
    assert.match((await send('k-1', '')).body.bodyDigest, /^[0-9a-f]{64}$/)
  })

  test('may be a quoted string, as the draft has it', async () => {
    assert.equal((await send('"k-1"', '{}')).body.key, 'k-1')
    assert.equal((await send('x'.repeat(255), '{}')).status, 200)
  })

  test('is refused when it is empty, too long, or not visible ASCII', async () => {
    for (const key of ['', '""', 'x'.repeat(256), 'a b', 'schlüssel'])
      assert.equal((await send(key, '{}')).status, 400, key)
  })

  test('is nothing without the header, and on a route that was not declared idempotent', async () => {
    assert.deepEqual((await send(undefined, '{}')).body, { none: true })
    assert.deepEqual((await send('k-1', '{}', '/false')).body, { none: true })
  })
})
