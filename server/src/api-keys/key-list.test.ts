/** Lists of keys: each filter alone, pages, and cursors that were tampered with. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  issueKey,
  type Json,
  newResource,
  newTenant,
  type Node,
  openNode,
  verify,
} from '../../test/deployment.ts'

onBothDatabases('lists of keys', (fresh) => {
  let node: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
  })
  after(() => node.close())

  const idsOf = (page: Json): string[] => page.data.map((key: Json) => key.id).sort()
  async function found(query: Record<string, string>): Promise<string[]> {
    return idsOf(await node.done('GET', `/v1/keys?${new URLSearchParams(query).toString()}`))
  }

  it('finds by each filter what matches it, and nothing else', async () => {
    const resource = await newResource(node)
    const other = await newResource(node)
    const tenant = await newTenant(node)
    const plain = await issueKey(node, resource)
    const theirs = await issueKey(node, resource, { tenant: tenant.id })
    const owned = await issueKey(node, resource, { owner: '50%_of' })
    const named = await issueKey(node, resource, { name: 'nightly' })
    const scoped = await issueKey(node, resource, { scopes: ['orders:refund'] })
    const test = await issueKey(node, resource, { environment: 'test' })
    const brief = await issueKey(node, resource, { expires_in_seconds: 10 })
    const endless = await issueKey(node, resource, { expires_at: null })
    const disabled = await issueKey(node, resource)
    await node.done('POST', `/v1/keys/${disabled.id}/disable`)
    const revoked = await issueKey(node, resource)
    await node.done('POST', `/v1/keys/${revoked.id}/revoke`, {})
    const elsewhere = await issueKey(node, other)
    const all = [plain, theirs, owned, named, scoped, test, brief, endless, disabled, revoked].map(
      (key) => key.id as string,
    )
    const but = (...gone: Json[]): string[] => all.filter((id) => gone.every((key) => key.id !== id)).sort()
    const here = { resource: resource.uri }

    assert.deepEqual(await found(here), but())
    assert.deepEqual(await found({ resource: other.id }), [elsewhere.id])
    assert.deepEqual(await found({ tenant: tenant.id }), [theirs.id])
    assert.deepEqual(await found({ owner: '50%_of' }), [owned.id])
    assert.deepEqual(await found({ owner: '50%' }), [])
    assert.deepEqual(await found({ ...here, name: 'nightly' }), [named.id])
    assert.deepEqual(await found({ ...here, scope: 'orders:refund' }), [scoped.id])
    assert.deepEqual(await found({ ...here, scope: 'orders:refun_' }), [])
    assert.deepEqual(await found({ ...here, scope: 'orders' }), [])
    assert.deepEqual(await found({ ...here, environment: 'test' }), [test.id])
    assert.deepEqual(await found({ ...here, status: 'disabled' }), [disabled.id])
    assert.deepEqual(await found({ ...here, status: 'revoked' }), [revoked.id])
    assert.deepEqual(await found({ ...here, status: 'active' }), but(disabled, revoked))
    assert.deepEqual(await found({ ...here, expiring_before: node.clock.at(10_000) }), [])
    assert.deepEqual(await found({ ...here, expiring_before: node.clock.at(10_001) }), [brief.id])
    assert.deepEqual(await found({ ...here, created_before: node.clock.at(0) }), [])
    assert.deepEqual(await found({ ...here, created_before: node.clock.at(1) }), but())
    assert.deepEqual(await found({ ...here, last_used_before: node.clock.at(0) }), but())
    node.clock.advance(10_000)
    assert.deepEqual(await found({ ...here, status: 'expired' }), [brief.id])
    assert.deepEqual(await found({ ...here, status: 'active' }), but(disabled, revoked, brief))

    await verify(node, plain.key, { ip: '192.0.2.1' })
    await eventually(
      'the use is written',
      async () => (await node.done('GET', `/v1/keys/${plain.id}`)).last_used_at !== null,
      5_000,
    )
    assert.deepEqual(await found({ ...here, last_used_before: node.clock.at(0) }), but(plain))
    assert.deepEqual(await found({ ...here, last_used_before: node.clock.at(1) }), but())
  })

  it('refuses a filter that it does not know, or cannot read', async () => {
    for (const query of ['stauts=active', 'status=dead', 'limit=0', 'limit=101', 'created_before=now']) {
      const answer = await node.request('GET', `/v1/keys?${query}`)
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'], query)
    }
    const unknown = await node.request('GET', '/v1/keys?resource=https://nowhere.test')
    assert.equal(unknown.status, 404)
  })

  it('shows every key once, page by page', async () => {
    const resource = await newResource(node)
    const issued = await Promise.all(Array.from({ length: 7 }, () => issueKey(node, resource)))
    const seen: string[] = []
    let path: string | null = `/v1/keys?resource=${resource.id}&limit=3`
    let pages = 0
    while (path !== null) {
      const page: Json = await node.done('GET', path)
      assert.ok(page.data.length <= 3)
      seen.push(...page.data.map((key: Json) => key.id))
      path = page.next_cursor && `/v1/keys?resource=${resource.id}&limit=3&cursor=${page.next_cursor}`
      pages++
    }
    assert.equal(pages, 3)
    assert.deepEqual(seen, issued.map((key) => key.id).sort())
  })

  it('refuses a cursor that this list did not give out', async () => {
    await Promise.all([issueKey(node, api), issueKey(node, api)])
    const { next_cursor: cursor } = await node.done('GET', '/v1/keys?limit=1')
    const forged = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const faulty = [
      cursor.slice(0, -4),
      `x${cursor}`,
      'x',
      forged(['tenants', 'ten_1']),
      forged(['keys', 5]),
      forged(['keys', "' OR 1=1"]),
      forged(['keys', { $gt: '' }]),
      forged({}),
      forged(null),
    ]
    for (const one of faulty) {
      const answer = await node.request('GET', `/v1/keys?cursor=${encodeURIComponent(one)}`)
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_cursor'], one)
    }
    for (const list of ['tenants', 'resources', 'operators', 'audit', 'activity']) {
      const answer = await node.request('GET', `/v1/${list}?cursor=${cursor}`)
      assert.equal(answer.body.code, 'invalid_cursor', list)
    }
    assert.equal((await node.request('GET', `/v1/keys?cursor=${cursor}`)).status, 200)
  })

  it('exports what matches, a line a key, without secrets', async () => {
    const resource = await newResource(node)
    const issued = await Promise.all(Array.from({ length: 103 }, () => issueKey(node, resource)))
    const { text, headers } = await node.request('GET', `/v1/keys/export?resource=${resource.id}`)
    assert.match(String(headers['content-type']), /^application\/x-ndjson/)
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Json)
    assert.deepEqual(
      lines.map((key) => key.id),
      issued.map((key) => key.id).sort(),
    )
    for (const line of lines) for (const name of ['key', 'hash']) assert.equal(name in line, false)
  })
})
