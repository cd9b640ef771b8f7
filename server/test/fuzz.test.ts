/**
 * Seeded nonsense for every route of the OpenAPI document, with the operator's key, a weak one and none. Whatever comes:
 * no 5xx, no answer after a second, no stack trace and no SQL, and every refusal a problem.
 *
 * A failure prints its seed; POSTERN_FUZZ_SEED runs it again, POSTERN_FUZZ_ROUNDS makes a longer run.
 */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { onBothDatabases } from './databases.ts'
import {
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
} from './deployment.ts'

const SEED = Number(process.env['POSTERN_FUZZ_SEED'] ?? Date.now() & 0x7fffffff)
const ROUNDS = Number(process.env['POSTERN_FUZZ_ROUNDS'] ?? 25)
const LONGEST_MS = 1_000

/** mulberry32: small, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

type Schema = Readonly<Record<string, Json>>

class Fuzzer {
  readonly random: () => number
  /** Values that exist, and so reach further than nonsense does. */
  readonly #known: readonly string[]

  constructor(seed: number, known: readonly string[]) {
    this.random = randomFrom(seed)
    this.#known = known
  }

  chance(probability: number): boolean {
    return this.random() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T
  }

  /** Of the schema, more or less. */
  value(schema: Schema | undefined, depth = 0): unknown {
    if (schema === undefined || depth > 6 || this.chance(0.12)) return this.nonsense()
    const union = (schema['anyOf'] ?? schema['oneOf']) as Schema[] | undefined
    if (union) return this.value(this.pick(union), depth + 1)
    if (schema['enum']) return this.pick(schema['enum'])
    if ('const' in schema) return schema['const']
    const type = Array.isArray(schema['type']) ? this.pick(schema['type'] as string[]) : schema['type']
    if (type === 'object') return this.object(schema, depth)
    if (type === 'array') {
      const many = this.chance(0.03) ? 1_200 : Math.floor(this.random() * 4)
      return Array.from({ length: many }, () => this.value(schema['items'], depth + (many > 10 ? 5 : 1)))
    }
    if (type === 'integer' || type === 'number') return this.number(schema)
    if (type === 'boolean') return this.chance(0.5)
    if (type === 'null') return null
    return this.text(schema)
  }

  object(schema: Schema, depth: number): unknown {
    const made: Record<string, unknown> = {}
    const required = new Set((schema['required'] ?? []) as string[])
    for (const [name, member] of Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)) {
      if (required.has(name) ? this.chance(0.05) : this.chance(0.5)) continue
      made[name] = this.value(member, depth + 1)
    }
    if (this.chance(0.08)) made[this.pick(['extra', '', 'constructor', 'a/b~c', 'toString', '\u0000'])] = 1
    return made
  }

  number(schema: Schema): unknown {
    const edges = [schema['minimum'], schema['maximum']].filter(
      (edge) => typeof edge === 'number',
    ) as number[]
    return this.pick([
      ...edges,
      ...edges.flatMap((edge) => [edge - 1, edge + 1]),
      0,
      1,
      -1,
      60,
      1.5,
      2 ** 31,
      2 ** 53,
      -(2 ** 53),
      1e300,
      '5',
    ])
  }

  text(schema: Schema): unknown {
    if (schema['format'] === 'date-time' && this.chance(0.8))
      return this.pick([
        '2027-03-01T13:00:00Z',
        '2030-01-01T00:00:00.123456789+14:00',
        '1970-01-01T00:00:00Z',
        '0000-01-01T00:00:00Z',
        '0001-01-01T00:00:00-23:59',
        '9999-12-31T23:59:59Z',
        '9999-12-31T23:59:59-23:59',
        '2027-02-30T00:00:00Z',
        '2027-06-30T23:59:60Z',
        '+275760-09-13T00:00:00Z',
        '2027-03-01 12:00:00Z',
        '2027-03-01t12:00:00z',
      ])
    if (this.chance(0.5) && this.#known.length > 0) return this.pick(this.#known)
    if (schema['examples'] && this.chance(0.5)) return this.pick(schema['examples'])
    return this.string()
  }

  string(): string {
    return this.pick([
      '',
      'a',
      'x'.repeat(201),
      'x'.repeat(9_000),
      'ñ 名 \u{1F511}',
      '\u0000',
      'a\u0000b',
      '\uD800',
      '\u202E\uFEFF',
      "'; DROP TABLE api_keys; --",
      '%',
      '_%\\!',
      '../../etc/passwd',
      '${7*7}',
      'https://api.test/unknown',
      'urn:postern:management',
      'ten_0000000000000000000000',
      'res_0000000000000000000000',
      'key_0000000000000000000001',
      `sk_live_${'A'.repeat(50)}`,
      '192.0.2.0/24',
      '::/129',
      '0'.repeat(64),
      'A'.repeat(43),
      '-1',
      'null',
      'true',
    ])
  }

  nonsense(): unknown {
    return this.pick<unknown>([
      null,
      true,
      0,
      -1,
      1e21,
      '',
      [],
      {},
      [[[[]]]],
      { a: { b: { c: {} } } },
      this.string(),
      this.string(),
      this.deep(40),
      Array.from({ length: 2_000 }, () => 'x'),
      Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`m${index}`, index])),
    ])
  }

  deep(levels: number): unknown {
    let value: unknown = 1
    for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { a: value }
    return value
  }

  cursor(): string {
    const forged = (value: unknown): string => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')
    const list = this.pick(['keys', 'tenants', 'resources', 'operators', 'audit', 'activity', ''])
    return this.pick([
      forged([list, 'key_0000000000000000000000']),
      forged([list, 1e15]),
      forged([list, -5]),
      forged([list, 2 ** 53 - 1]),
      forged([list, 1.5]),
      forged([list, '\u0000']),
      forged([list, { a: 1 }]),
      forged(this.nonsense()).slice(0, 290),
      '%00',
      '....',
      'x'.repeat(299),
      this.string(),
    ])
  }

  /** The bytes of a body: mostly JSON of the schema, at times not JSON at all. */
  body(schema: Schema | undefined): string | Buffer {
    if (this.chance(0.06))
      return this.pick<string | Buffer>([
        '',
        '{',
        '[1,',
        'null',
        '"text"',
        '{"a":1,"a":2}',
        '{"__proto__":{"x":1}}',
        '['.repeat(5_000),
        `{"a":"${'x'.repeat(300_000)}"}`,
        Buffer.from([0xff, 0xfe, 0x00]),
        '{"name":"\\ud800"}',
      ])
    return JSON.stringify(this.value(schema)) ?? 'null'
  }
}

interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly parameters: readonly { name: string; in: string; schema: Schema }[]
  readonly body: Schema | undefined
}

function operationsOf(document: Json): Operation[] {
  const resolve = (schema: Json): Schema =>
    schema?.$ref
      ? resolve(
          (schema.$ref as string)
            .split('/')
            .slice(1)
            .reduce((at: Json, part) => at[part], document),
        )
      : schema
  return Object.entries(document.paths as Record<string, Json>).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Json>)
      .filter(([method]) => ['get', 'post', 'patch', 'delete', 'put'].includes(method))
      // What is answered for as long as somebody listens has an answer of another kind: see feed-routes.test.ts.
      .filter(([, operation]) => !('text/event-stream' in (operation.responses[200]?.content ?? {})))
      .map(([method, operation]) => ({
        method: method.toUpperCase() as Operation['method'],
        path,
        // Whoever asks to wait is made to wait.
        parameters: (operation.parameters ?? []).map(resolve).filter(({ name }: Json) => name !== 'wait'),
        body: resolve(operation.requestBody?.content?.['application/json']?.schema),
      })),
  )
}

onBothDatabases(`nonsense (seed ${SEED})`, (fresh) => {
  let node: Node
  let operations: Operation[]
  let known: string[]
  let weak: string
  before(async () => {
    node = await openNode(await fresh())
    operations = operationsOf((await node.request('GET', '/openapi.json', { key: null })).body)
    const api = await newResource(node)
    const tenant = await newTenant(node, { external_id: 'crm-1' })
    const keys = await Promise.all([issueKey(node, api), issueKey(node, api, { tenant: tenant.id })])
    const victim = await newOperator(node, ['verify'])
    weak = (await newOperator(node, ['verify', 'keys:read'], { tenant: tenant.id })).key
    known = [
      api.uri,
      api.id,
      tenant.id,
      victim.id,
      'crm-1',
      'orders:read',
      'customer-1',
      ...keys.flatMap((key) => [key.id, key.key]),
    ]
  })
  after(() => node.close())

  it('the document has the routes', () => {
    assert.ok(operations.length > 30, `${operations.length} operations`)
    assert.ok(operations.some(({ method, body }) => method === 'POST' && body?.['type'] === 'object'))
    assert.ok(operations.some(({ parameters }) => parameters.some(({ name }) => name === 'cursor')))
  })

  it('never gives a 5xx, a stack trace, SQL or a wait', { timeout: 300_000 }, async () => {
    const fuzzer = new Fuzzer(SEED, known)
    const statuses = new Map<number, number>()
    for (let round = 0; round < ROUNDS; round++)
      for (const operation of operations) {
        const sent = requestOf(fuzzer, operation, [node.operatorKey, weak])
        let { answer, tookMs } = await timed(node, sent)
        // The machine may have been busy with something else: what is slow is slow again.
        if (tookMs > LONGEST_MS) ({ answer, tookMs } = await timed(node, sent))
        statuses.set(answer.statusCode, (statuses.get(answer.statusCode) ?? 0) + 1)
        const said = `seed ${SEED}, round ${round}: ${operation.method} ${sent.url.slice(0, 300)}
          ${String(sent.payload).slice(0, 600)}
          → ${answer.statusCode} in ${Math.round(tookMs)} ms: ${answer.body.slice(0, 600)}`
        assert.ok(answer.statusCode < 500, said)
        assert.ok(tookMs < LONGEST_MS, said)
        assert.ok(
          !/\n\s+at |\.ts:\d+|SQLITE|sqlite error|SELECT |INSERT |node_modules/i.test(answer.body),
          said,
        )
        if (answer.statusCode >= 400) {
          assert.match(String(answer.headers['content-type']), /^application\/problem\+json/, said)
          const problem = JSON.parse(answer.body) as Json
          assert.equal(problem.status, answer.statusCode, said)
          for (const member of ['type', 'title', 'code', 'detail', 'instance'])
            assert.equal(typeof problem[member], 'string', said)
        }
      }
    // It reached beyond validation, or it would prove little.
    const reached = [...statuses]
      .filter(([status]) => status < 300)
      .reduce((sum, [, count]) => sum + count, 0)
    assert.ok(reached > ROUNDS, JSON.stringify([...statuses]))
    assert.ok(
      (statuses.get(400) ?? 0) > ROUNDS && (statuses.get(401) ?? 0) > 0 && (statuses.get(404) ?? 0) > 0,
    )
  })

  it('leaves a deployment that works, with its operator and a whole audit chain', async () => {
    assert.equal((await node.done('POST', '/v1/audit/verify', {})).ok, true)
    const api = await newResource(node)
    const key = await issueKey(node, api, { tenant: (await newTenant(node)).id })
    const answer = await node.done('POST', '/v1/verify', { credential: key.key })
    assert.equal(answer.valid, true)
  })
})

async function timed(node: Node, sent: Sent): Promise<{ answer: LightMyRequestResponse; tookMs: number }> {
  const started = performance.now()
  const answer = await node.deployment.server.inject(sent)
  return { answer, tookMs: performance.now() - started }
}

interface Sent {
  readonly method: Operation['method']
  readonly url: string
  readonly headers: Record<string, string>
  readonly payload?: string | Buffer
}

function requestOf(fuzzer: Fuzzer, operation: Operation, keys: readonly string[]): Sent {
  let path = operation.path
  const query = new URLSearchParams()
  for (const { name, in: place, schema } of operation.parameters) {
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(textOf(fuzzer.text(schema))))
    if (place !== 'query' || fuzzer.chance(0.6)) continue
    query.append(name, name === 'cursor' ? fuzzer.cursor() : textOf(fuzzer.value(schema)).slice(0, 2_000))
    if (fuzzer.chance(0.03)) query.append(name, 'twice')
  }
  if (fuzzer.chance(0.03)) query.append('unknown', 'x')
  const search = query.size > 0 ? `?${query.toString()}` : ''
  const headers: Record<string, string> = {}
  const bearer = fuzzer.chance(0.85) ? keys[0] : fuzzer.pick([keys[1], undefined, 'rubbish'])
  if (bearer !== undefined) headers['authorization'] = `Bearer ${bearer}`
  if (fuzzer.chance(0.1))
    headers['idempotency-key'] = fuzzer.pick(['k1', 'k2', '', 'a b', 'x'.repeat(256), 'é'])
  if (operation.method === 'GET' || operation.method === 'DELETE')
    return { method: operation.method, url: path + search, headers }
  headers['content-type'] = fuzzer.chance(0.97)
    ? 'application/json'
    : fuzzer.pick(['text/plain', 'application/x-ndjson', 'application/xml', 'nonsense'])
  return { method: operation.method, url: path + search, headers, payload: fuzzer.body(operation.body) }
}

function textOf(value: unknown): string {
  // A lone surrogate cannot be sent in a URL.
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? 'null')).toWellFormed()
}
