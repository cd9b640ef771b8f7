/** Idempotency-Key: the same answer again, once across nodes, and nothing readable at rest. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import { onBothDatabases } from '../../test/databases.ts'
import {
  type Answer,
  issueKey,
  type Json,
  newOperator,
  newResource,
  type Node,
  openNode,
  unique,
} from '../../test/deployment.ts'
import { Idempotency, type IdempotentRequest } from './idempotency.ts'

onBothDatabases('Idempotency-Key', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
  })
  after(() => Promise.all([node.close(), second.close()]))

  const post = (on: Node, path: string, key: string, body: unknown, caller?: string): Promise<Answer> =>
    on.request('POST', path, {
      body,
      headers: { 'idempotency-key': key },
      ...(caller !== undefined && { key: caller }),
    })
  const keyBody = (): Json => ({ name: 'a key', owner: unique(), resource: api.uri, scopes: [] })
  const countOf = async (owner: string): Promise<number> =>
    (await node.done('GET', `/v1/keys?owner=${owner}`)).data.length

  it('answers a repetition with the same text, the key included, and makes nothing', async () => {
    const body = keyBody()
    const first = await post(node, '/v1/keys', 'once-1', body)
    assert.equal(first.status, 201)
    for (const on of [node, second]) {
      const again = await post(on, '/v1/keys', 'once-1', body)
      assert.deepEqual([again.status, again.text], [201, first.text])
    }
    assert.equal(await countOf(body.owner), 1)
  })

  it('refuses another body, path or spelling under the same Idempotency-Key', async () => {
    const body = keyBody()
    await post(node, '/v1/keys', 'once-2', body)
    const other = await post(node, '/v1/keys', 'once-2', { ...body, name: 'other' })
    assert.deepEqual([other.status, other.body.code], [422, 'idempotency_mismatch'])
    const elsewhere = await post(node, '/v1/tenants', 'once-2', { name: 'x' })
    assert.equal(elsewhere.status, 422)
    assert.equal(await countOf(body.owner), 1)
  })

  it('keeps the keys of two callers apart', async () => {
    const operator = await newOperator(node, ['keys:write'])
    const body = keyBody()
    const mine = await post(node, '/v1/keys', 'once-3', body)
    const theirs = await post(node, '/v1/keys', 'once-3', body, operator.key)
    assert.deepEqual([mine.status, theirs.status], [201, 201])
    assert.notEqual(mine.body.key, theirs.body.key)
  })

  it('keeps no refusal: the same request may succeed later', async () => {
    const body = { ...keyBody(), resource: 'https://later.test' }
    assert.equal((await post(node, '/v1/keys', 'once-4', body)).status, 404)
    await newResource(node, { uri: 'https://later.test' })
    assert.equal((await post(node, '/v1/keys', 'once-4', body)).status, 201)
  })

  it('forgets after a day, swept away or not', async () => {
    const body = keyBody()
    const first = await post(node, '/v1/keys', 'once-5', body)
    node.clock.advance(86_399_999)
    assert.equal((await post(node, '/v1/keys', 'once-5', body)).text, first.text)
    node.clock.advance(1)
    const later = await post(node, '/v1/keys', 'once-5', { ...body, name: 'other' })
    assert.equal(later.status, 201)
    assert.notEqual(later.body.key, first.body.key)
  })

  it('refuses while the first is under way', async () => {
    const idempotency = new Idempotency(node.deployment.storage, 'secret', node.clock)
    const request: IdempotentRequest = { callerId: 'key_1', key: 'k', bodyDigest: 'd' }
    const { promise, resolve } = Promise.withResolvers<void>()
    const first = idempotency.exclusively(request, () => promise)
    await assert.rejects(
      idempotency.once(request, async () => ({ status: 201, body: '{}' })),
      { code: 'idempotency_in_flight', status: 409 },
    )
    resolve()
    await first
    assert.equal((await idempotency.once(request, async () => ({ status: 201, body: '{}' }))).status, 201)
  })

  it('makes one key when the same request races on one node', async () => {
    const body = keyBody()
    const key = `race-${unique()}`
    const raced = await Promise.all([1, 2, 3, 4].map(() => post(node, '/v1/keys', key, body)))
    assert.equal(await countOf(body.owner), 1)
    assert.deepEqual([...new Set(raced.map(({ status }) => status))].sort(), [201, 409])
    for (const { status, body: problem } of raced)
      if (status === 409) assert.equal(problem.code, 'idempotency_in_flight')
  })

  it('makes one of each kind when two nodes race, and both answer the same', async () => {
    const key = await issueKey(node, api)
    const creations: [string, Json][] = [
      ['/v1/keys', keyBody()],
      ['/v1/tenants', { name: 'raced', external_id: unique() }],
      ['/v1/resources', { uri: `https://raced.test/${unique()}`, name: 'raced', scopes: [] }],
      ['/v1/operators', { name: 'raced', scopes: ['verify'] }],
      [`/v1/keys/${key.id}/rotate`, {}],
    ]
    for (const [path, body] of creations) {
      const once = `race-${unique()}`
      const answers = await Promise.all([post(node, path, once, body), post(second, path, once, body)])
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 201],
        `${path}: ${answers.map(({ text }) => text).join(' | ')}`,
      )
      assert.equal(answers[0]?.text, answers[1]?.text, path)
    }
  })

  it('leaves no key, and no answer that shows one, readable in the database', async () => {
    const secrets = [node.operatorKey]
    for (let count = 0; count < 5; count++)
      secrets.push((await post(node, '/v1/keys', `rest-${count}`, keyBody())).body.key)
    const operator = await post(node, '/v1/operators', 'rest-op', { name: 'o', scopes: ['verify'] })
    secrets.push(operator.body.key)
    const stored = await everythingStored(node)
    assert.ok(stored.includes('rotated_from'), 'the search sees the schema')
    for (const secret of secrets) {
      assert.ok(!stored.includes(secret))
      // Nor the secret part alone, which the public look-up stands before.
      assert.ok(!stored.includes(secret.slice(-38)))
    }
    assert.ok(!stored.includes('rest-op'), 'the Idempotency-Key unseals the answer, so it is not stored')
  })
})

/** All bytes at rest: on SQLite every file of the data folder, the write-ahead log included; on Postgres every row. */
async function everythingStored({ database, deployment }: Node): Promise<string> {
  if (database.dialect === 'sqlite') {
    const files = readdirSync(database.location.dataDir)
    assert.ok(files.includes('postern.db-wal'))
    return files.map((file) => readFileSync(join(database.location.dataDir, file), 'latin1')).join('\n')
  }
  const db = deployment.storage.read<Record<string, never>>()
  const tables = await sql<{ name: string }>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`.execute(db)
  assert.ok(tables.rows.length > 10)
  const texts: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await sql`SELECT to_jsonb(t)::text AS text FROM ${sql.table(name)} t`.execute(db)
    texts.push(JSON.stringify(rows))
  }
  return texts.join('\n')
}
