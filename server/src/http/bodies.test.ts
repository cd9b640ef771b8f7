import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Type } from 'typebox'
import { declareRoute } from './index.ts'
import { AUTHORIZED, declareTestRoutes, testServer } from './test-server.ts'

const { server } = testServer()
declareTestRoutes(server)

const JSON_TYPE = { ...AUTHORIZED, 'content-type': 'application/json' }

function post(payload: string | Buffer, url = '/v1/keys', headers: Record<string, string> = JSON_TYPE) {
  return server.inject({ method: 'POST', url, payload, headers })
}

async function errorsOf(body: object): Promise<[string, string][]> {
  const answer = await post(JSON.stringify(body))
  assert.equal(answer.statusCode, 400)
  assert.equal(answer.json().code, 'invalid_request')
  return answer.json().errors.map((one: { pointer: string; detail: string }) => [one.pointer, one.detail])
}

describe('a body that breaks the schema', () => {
  test('has its unknown members refused by name, with those that are known', async () => {
    const errors = await errorsOf({ name: 'x', expire_at: null })
    assert.deepEqual(errors.length, 1)
    assert.equal(errors[0]?.[0], '/expire_at')
    assert.match(errors[0]?.[1] ?? '', /^unknown member; known are name, scopes, expires_at/)
  })

  test('has every fault named where it is, in words', async () => {
    assert.deepEqual(
      await errorsOf({
        scopes: ['a', 7],
        expires_at: 'tomorrow',
        environment: 'prod',
        overlap_seconds: -1,
        metadata: { 'a/b': 1 },
      }),
      [
        ['/name', 'this member is required'],
        ['/scopes/1', 'must be a string'],
        ['/expires_at', 'must be a time as in 2030-01-31T12:00:00Z (RFC 3339)'],
        ['/environment', 'must be "live" or "test"'],
        ['/overlap_seconds', 'must be at least 0'],
        ['/metadata/a~1b', 'must be a string'],
      ],
    )
  })

  test('is never turned into what the schema wants', async () => {
    assert.deepEqual(await errorsOf({ name: 5 }), [['/name', 'must be a string']])
    assert.deepEqual(await errorsOf({ name: 'x', overlap_seconds: '5' }), [
      ['/overlap_seconds', 'must be a whole number'],
    ])
    assert.deepEqual(await errorsOf({ name: 'x', scopes: 'a' }), [['/scopes', 'must be an array']])
    assert.deepEqual(await errorsOf({ name: 'x', expires_at: 5 }), [
      ['/expires_at', 'must be a string or null'],
    ])
  })

  test('is answered in a bounded number of errors, however many it has', async () => {
    assert.equal(
      (await errorsOf({ name: 'x', scopes: Array.from({ length: 1500 }, (_, n) => n) })).length,
      20,
    )
    const unknown = Object.fromEntries(Array.from({ length: 9000 }, (_, n) => [`member${n}`, n]))
    assert.equal((await errorsOf({ name: 'x', ...unknown })).length, 1)
  })
})

describe('a body that is fine', () => {
  test('arrives as it was sent, with null and free members', async () => {
    const body = { name: 'x', expires_at: null, metadata: { constructor: 'y', ключ: '"\\" : {' } }
    const answer = await post(JSON.stringify(body))
    assert.equal(answer.statusCode, 201)
    assert.deepEqual(answer.json().body, body)
  })

  test('may be left out where no member is required, with or without its type', async () => {
    const url = '/v1/keys/key_1/revoke'
    for (const headers of [AUTHORIZED, JSON_TYPE]) {
      const answer = await server.inject({ method: 'POST', url, headers })
      assert.deepEqual([answer.statusCode, answer.json()], [200, { id: 'key_1', reason: null }])
    }
  })

  test('may be lines of JSON where the route says so, and nowhere else', async () => {
    const { server } = testServer()
    declareTestRoutes(server)
    const item = Type.Object({ digest: Type.String() })
    declareRoute(server, {
      method: 'POST',
      url: '/v1/import',
      access: { kind: 'public', why: 'test' },
      summary: 'Import',
      tags: ['test'],
      ndjson: true,
      schema: {
        body: {
          content: {
            'application/json': { schema: Type.Object({ keys: Type.Array(item) }) },
            'application/x-ndjson': { schema: Type.Array(item) },
          },
        },
        response: { 200: Type.Unknown() },
      },
      handler: ({ body }) => (Array.isArray(body) ? body : body.keys),
    })
    const headers = { ...AUTHORIZED, 'content-type': 'application/x-ndjson' }
    const send = (url: string, payload: string) => server.inject({ method: 'POST', url, headers, payload })
    assert.deepEqual((await send('/v1/import', '{"digest":"a"}\n\n{"digest":"b"}\n')).json(), [
      { digest: 'a' },
      { digest: 'b' },
    ])
    assert.match((await send('/v1/import', '{"digest":"a"}\n{"digest"')).json().detail, /^Line 2: /)
    assert.deepEqual(
      (await send('/v1/import', '{"digest":"a"}\n{"diget":"b"}')).json().errors[0].pointer,
      '/1/digest',
    )
    assert.equal((await send('/v1/keys', '{"name":"x"}')).statusCode, 415)
  })
})

describe('query parameters', () => {
  const get = (query: string) => server.inject({ url: `/v1/keys?${query}`, headers: AUTHORIZED })

  test('become numbers and lists as the schema says, and defaults where they are left out', async () => {
    assert.deepEqual((await get('limit=7&scope=a')).json(), { limit: 7, scope: ['a'] })
    assert.deepEqual((await get('scope=a&scope=b')).json(), { limit: 50, scope: ['a', 'b'] })
  })

  test('are refused by name when wrong or unknown', async () => {
    assert.match((await get('limit=101')).json().detail, /^Query parameter limit: must be at most 100/)
    assert.match(
      (await get('limt=1')).json().detail,
      /^Query parameter limt: unknown parameter; known are limit, scope/,
    )
    assert.match(
      (await get('limit=1&limit=2')).json().detail,
      /^Query parameter limit: must be a whole number/,
    )
  })
})

describe('bad bodies', () => {
  const cases: Record<string, [string | Buffer, number, string]> = {
    nothing: ['', 400, 'invalid_request'],
    'white space': [' \n ', 400, 'invalid_json'],
    null: ['null', 400, 'invalid_request'],
    'a number': ['5', 400, 'invalid_request'],
    'a string': ['"x"', 400, 'invalid_request'],
    'an array': ['[]', 400, 'invalid_request'],
    'half an object': ['{"name":"x"', 400, 'invalid_json'],
    'two values': ['{"name":"x"}{}', 400, 'invalid_json'],
    'a trailing comma': ['{"name":"x",}', 400, 'invalid_json'],
    'a comment': ['{/**/}', 400, 'invalid_json'],
    NaN: ['{"name":NaN}', 400, 'invalid_json'],
    'a huge number': ['{"name":"x","overlap_seconds":1e999}', 400, 'invalid_request'],
    'the same member twice': ['{"name":"x","name":"y"}', 400, 'invalid_json'],
    'the same member twice, one escaped': [String.raw`{"name":"x","n\u0061me":"y"}`, 400, 'invalid_json'],
    'the same member twice, deep': ['{"name":"x","metadata":{"a":"1","a" : "2"}}', 400, 'invalid_json'],
    __proto__: ['{"name":"x","__proto__":{"admin":true}}', 400, 'invalid_json'],
    '__proto__ in a free object': ['{"name":"x","metadata":{"__proto__":"y"}}', 400, 'invalid_json'],
    'an escaped NUL': [String.raw`{"name":"a\u0000b"}`, 400, 'invalid_request'],
    'a bare NUL': ['{"name":"a\0b"}', 400, 'invalid_json'],
    'a lone surrogate in a wrong type': [String.raw`{"name":["\ud800"]}`, 400, 'invalid_request'],
    'invalid UTF-8': [Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 400, 'invalid_json'],
    'UTF-16': [Buffer.from('{"name":"x"}', 'utf16le'), 400, 'invalid_json'],
    '100,000 arrays in each other': ['['.repeat(100_000) + ']'.repeat(100_000), 400, 'invalid_json'],
    '20,000 objects in each other': ['{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000), 400, 'invalid_json'],
    'a string of 200 kB': [JSON.stringify({ name: 'x'.repeat(200_000) }), 400, 'invalid_request'],
    'a string of 1 MB': [JSON.stringify({ name: 'x'.repeat(1_000_000) }), 413, 'payload_too_large'],
    '25,000 members': [
      `{${Array.from({ length: 25_000 }, (_, n) => `"${n}":1`).join()}}`,
      400,
      'invalid_request',
    ],
    'backslashes before a quote': [String.raw`{"name":"\\\"","name":"\\"}`, 400, 'invalid_json'],
  }
  for (const [name, [payload, status, code]] of Object.entries(cases))
    test(`${name}: ${status} ${code}, as a problem, within a second`, async () => {
      const began = performance.now()
      const answer = await post(payload)
      assert.ok(performance.now() - began < 1000)
      assert.equal(answer.statusCode, status, answer.body.slice(0, 200))
      assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
      assert.equal(answer.json().code, code)
      assert.ok(answer.body.length < 8_000)
    })

  test('the verifier’s route takes a NUL: to it, that is a credential like another', async () => {
    const answer = await post(String.raw`{"credential":"a\u0000"}`, '/v1/verify')
    assert.deepEqual([answer.statusCode, answer.json()], [200, { length: 2 }])
  })

  test('another type than JSON is a 415', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'x',
      '',
      '/',
    ])
      assert.equal(
        (await post('name=x', '/v1/keys', { ...AUTHORIZED, 'content-type': type })).statusCode,
        415,
        type,
      )
  })

  test('a problem never repeats a credential', async () => {
    const secret = 'sk_live_0123456789ab0123456789abcdefghijklmnopqrstuv'
    const answer = await post(JSON.stringify({ name: 'x', [secret]: 1 }))
    assert.equal(answer.statusCode, 400)
    assert.ok(!answer.body.includes(secret))
  })

  test('random bytes and mutated JSON never make a 5xx', async () => {
    const seed = Buffer.from('{"name":"x","scopes":["a","b"],"expires_at":null,"metadata":{"k":"v"}}')
    let state = 42
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      return state % below
    }
    for (let round = 0; round < 500; round += 1) {
      const bytes = Buffer.from(seed)
      for (let change = 0; change <= random(6); change += 1) bytes[random(bytes.length)] = random(256)
      const answer = await post(bytes.subarray(0, random(4) === 0 ? random(bytes.length) : bytes.length))
      assert.ok(answer.statusCode < 500, `${answer.statusCode} for ${bytes.toString('latin1')}`)
    }
  })
})

describe('bad URLs', () => {
  test('are refused as problems', async () => {
    const cases: [string, number][] = [
      ['/%', 400],
      ['/v1/keys/%zz/revoke', 400],
      ['/v1/keys/%00', 404],
      ['/v1/keys?limit=%00', 400],
      ['/v1/keys?limit=%zz', 400],
      [`/${'x'.repeat(5_000)}`, 404],
      ['/v1/keys/..%2f..%2fetc', 404],
      ['//', 404],
      ['/v1/keys?__proto__=1', 400],
    ]
    for (const [url, status] of cases) {
      const answer = await server.inject({ url, headers: AUTHORIZED })
      assert.equal(answer.statusCode, status, url.slice(0, 40))
      assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
    }
    const nul = await post('{}', '/v1/keys/a%00b/revoke')
    assert.equal(nul.statusCode, 400)
    const long = await post('{}', `/v1/keys/${'x'.repeat(3_000)}/revoke`)
    assert.ok([400, 404].includes(long.statusCode))
  })
})
