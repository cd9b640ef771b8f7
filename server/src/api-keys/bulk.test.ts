/** Bulk work: what a dry run says is what happens, in batches, and a cut stream loses no key. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  type Answer,
  importKeys,
  issueKey,
  type Json,
  newResource,
  type Node,
  openNode,
  unique,
  verdict,
} from '../../test/deployment.ts'

onBothDatabases('bulk work', (fresh) => {
  let node: Node
  let second: Node
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
  })
  after(() => Promise.all([node.close(), second.close()]))

  const revoke = (body: Json): ReturnType<Node['request']> =>
    node.request('POST', '/v1/keys/bulk-revoke', { body })
  const rotate = (body: Json, once?: string, on = node): Promise<Answer> =>
    on.request('POST', '/v1/keys/bulk-rotate', {
      body,
      ...(once !== undefined && { headers: { 'idempotency-key': once } }),
    })
  const linesOf = ({ text }: Answer): Json[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json)
  const countOf = async (query: string): Promise<number> => {
    const { text } = await node.request('GET', `/v1/keys/export?${query}`)
    return text === '' ? 0 : text.trimEnd().split('\n').length
  }
  /** A resource with that many keys, made a second ago. */
  async function stocked(howMany: number): Promise<Json> {
    const api = await newResource(node)
    await importKeys(node, api, howMany)
    node.clock.advance(1_000)
    return api
  }

  it('revokes more than a batch, and says who is concerned', async () => {
    const api = await newResource(node)
    await importKeys(node, api, 700, { owner: 'many' })
    await importKeys(node, api, 500, { owner: 'fewer' })
    const kept = await issueKey(node, await newResource(node))
    const filter = { resource: api.uri }
    const dry = (await revoke({ filter, dry_run: true })).body
    assert.deepEqual([dry.dry_run, dry.matched, dry.revoked], [true, 1_200, 0])
    assert.deepEqual(dry.by_owner, [
      { owner: 'many', count: 700 },
      { owner: 'fewer', count: 500 },
    ])
    assert.equal(dry.sample.length, 10)
    assert.equal(await countOf(`resource=${api.id}&status=active`), 1_200)

    const wrong = await revoke({ filter, expected_count: 1_199 })
    assert.deepEqual([wrong.status, wrong.body.code], [409, 'conflict'])
    assert.equal(await countOf(`resource=${api.id}&status=active`), 1_200)

    const done = (await revoke({ filter, expected_count: 1_200, reason: 'leak' })).body
    assert.deepEqual([done.matched, done.revoked], [1_200, 1_200])
    assert.equal(await countOf(`resource=${api.id}&status=revoked`), 1_200)
    assert.equal((await revoke({ filter })).body.revoked, 0)
    assert.equal(await verdict(node, kept.key), 'valid')
    assert.equal((await node.done('POST', '/v1/audit/verify', {})).ok, true)
  })

  it('ends bulk-revoked keys on a warm cache at once', async () => {
    const api = await newResource(node)
    const keys = await Promise.all([issueKey(node, api), issueKey(node, api), issueKey(node, api)])
    for (const key of keys) assert.equal(await verdict(node, key.key), 'valid')
    const ids = keys.slice(0, 2).map((key) => key.id)
    assert.equal((await revoke({ filter: { ids } })).body.revoked, 2)
    assert.deepEqual(await Promise.all(keys.map((key) => verdict(node, key.key))), [
      'revoked',
      'revoked',
      'valid',
    ])
  })

  it('refuses an empty filter: "all keys" must be meant', async () => {
    const api = await newResource(node)
    const key = await issueKey(node, api)
    for (const path of ['bulk-revoke', 'bulk-rotate'])
      for (const body of [{ filter: {} }, {}, { filter: { ids: [] } }, { filter: { onwer: 'x' } }]) {
        const answer = await node.request('POST', `/v1/keys/${path}`, { body })
        assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'], JSON.stringify(body))
      }
    assert.equal(await verdict(node, key.key), 'valid')
  })

  it('refuses a filter by a resource that does not exist, instead of matching nothing or everything', async () => {
    assert.equal((await revoke({ filter: { resource: 'https://nowhere.test' } })).status, 404)
  })

  it('rotates more than a batch as lines, each new key shown once', async () => {
    const api = await stocked(230)
    const filter = { resource: api.uri }
    const dry = await rotate({ filter, dry_run: true })
    assert.deepEqual([dry.body.dry_run, dry.body.matched], [true, 230])
    assert.equal(await countOf(`resource=${api.id}`), 230)
    assert.equal((await rotate({ filter, expected_count: 229 })).status, 409)

    const answer = await rotate({ filter, expected_count: 230, overlap_seconds: 60 })
    assert.match(String(answer.headers['content-type']), /^application\/x-ndjson/)
    const lines = linesOf(answer)
    assert.deepEqual(lines.pop(), { done: true, rotated: 230 })
    assert.equal(new Set(lines.map(({ old }) => old.id)).size, 230)
    assert.equal(new Set(lines.map(({ key }) => key.key)).size, 230)
    for (const { old, key } of lines) assert.equal(old.rotated_to, key.id)
    assert.equal(await verdict(node, lines[0].key.key), 'valid')
    assert.equal(await verdict(node, lines.at(-1).key.key), 'valid')
    // Neither the rotated ones, which have a successor, nor the successors, which are new.
    assert.deepEqual(
      linesOf(await rotate({ filter, overlap_seconds: 60 })),
      linesOf(await rotate({ filter })),
    )
  })

  it('leaves out keys that are revoked, disabled, expired or rotated already', async () => {
    const api = await newResource(node)
    const [active, revoked, disabled, brief, rotated] = await Promise.all([
      issueKey(node, api),
      issueKey(node, api),
      issueKey(node, api),
      issueKey(node, api, { expires_in_seconds: 1 }),
      issueKey(node, api),
    ])
    await node.done('POST', `/v1/keys/${revoked.id}/revoke`, {})
    await node.done('POST', `/v1/keys/${disabled.id}/disable`)
    node.clock.advance(1_000)
    await node.done('POST', `/v1/keys/${rotated.id}/rotate`, {})
    assert.equal(brief.status, 'active')
    const lines = linesOf(await rotate({ filter: { resource: api.uri } }))
    assert.deepEqual(
      lines.map((line) => line.old?.id),
      [active.id, undefined],
    )
  })

  it('repeats a finished stream under its Idempotency-Key, line for line, and rotates nothing more', async () => {
    const api = await stocked(120)
    const body = { filter: { resource: api.uri } }
    const once = unique()
    const first = await rotate(body, once)
    assert.deepEqual(linesOf(first).at(-1), { done: true, rotated: 120 })
    for (const on of [node, second]) assert.equal((await rotate(body, once, on)).text, first.text)
    node.clock.advance(5_000)
    assert.equal((await rotate(body, once)).text, first.text)
    assert.equal(await countOf(`resource=${api.id}`), 240)
    const other = await rotate({ ...body, overlap_seconds: 1 }, once)
    assert.deepEqual([other.status, other.body.code], [422, 'idempotency_mismatch'])
  })

  it('repeats a stream that found nothing', async () => {
    const api = await stocked(1)
    const once = unique()
    for (let count = 0; count < 3; count++) {
      const answer = await rotate({ filter: { resource: api.uri, owner: 'nobody' } }, once)
      assert.deepEqual([answer.status, linesOf(answer)], [200, [{ done: true, rotated: 0 }]])
    }
  })

  it('refuses to rotate by a status that rotates nothing, instead of rotating what is active', async () => {
    const api = await stocked(1)
    for (const status of ['disabled', 'expired', 'revoked'])
      for (const body of [{ filter: { status } }, { filter: { status, resource: api.uri }, dry_run: true }]) {
        const answer = await rotate(body)
        assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [400, '/filter/status'], status)
      }
    assert.equal(await countOf(`resource=${api.id}`), 1)
  })

  it('goes on after a cut: the same lines again, then the rest, never its own successors', async () => {
    const api = await stocked(350)
    const address = await node.deployment.server.listen({ port: 0, host: '127.0.0.1' })
    const body = { filter: { resource: api.uri } }
    const once = unique()
    const cut = new AbortController()
    const response = await fetch(`${address}/v1/keys/bulk-rotate`, {
      method: 'POST',
      signal: cut.signal,
      headers: {
        authorization: `Bearer ${node.operatorKey}`,
        'content-type': 'application/json',
        'idempotency-key': once,
      },
      body: JSON.stringify(body),
    })
    const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
    const { value } = await reader.read()
    cut.abort()
    const seen = new TextDecoder().decode(value)
    assert.ok(seen.length > 0 && !seen.includes('"done"'))

    node.clock.advance(2_000)
    const resumed = await rotateWhenFree(() => rotate(body, once, second))
    assert.ok(resumed.text.startsWith(seen))
    const lines = linesOf(resumed)
    assert.deepEqual(lines.pop(), { done: true, rotated: 350 })
    assert.equal(new Set(lines.map(({ old }) => old.id)).size, 350)
    assert.equal(await countOf(`resource=${api.id}`), 700)
    assert.equal((await rotate(body, once)).text, resumed.text)
  })

  it('refuses the same stream while it runs, and rotates each key once', async () => {
    const api = await stocked(250)
    const body = { filter: { resource: api.uri } }
    const once = unique()
    const answers = await Promise.all([rotate(body, once), rotate(body, once)])
    const [done, refused] = answers.toSorted((a, b) => a.status - b.status) as [Answer, Answer]
    assert.deepEqual([refused.status, refused.body.code], [409, 'idempotency_in_flight'])
    assert.deepEqual(linesOf(done).at(-1), { done: true, rotated: 250 })
    assert.equal(await countOf(`resource=${api.id}`), 500)
    assert.equal((await rotate(body, once)).text, done.text)
  })
})

/** The server may still be writing the batch at which the reader left. */
async function rotateWhenFree(ask: () => Promise<Answer>): Promise<Answer> {
  for (let count = 0; ; count++) {
    const answer = await ask().catch(() => undefined)
    if (answer && answer.status === 200 && answer.text.includes('"done"')) return answer
    if (count === 20) throw new Error(`still not resumed: ${answer?.status}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
