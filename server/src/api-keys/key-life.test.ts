/** The whole life of a key over HTTP, on one node and as a second node of the same database sees it. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  issueKey,
  type Json,
  newResource,
  type Node,
  openNode,
  verdict,
  verify,
} from '../../test/deployment.ts'

const DAY_MS = 86_400_000

onBothDatabases('the life of an API key', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
  })
  after(() => Promise.all([node.close(), second.close()]))

  /** Verified before on both nodes, so that each holds it in its cache. */
  async function warmKey(more: Record<string, unknown> = {}): Promise<Json> {
    const key = await issueKey(node, api, more)
    assert.deepEqual([await verdict(node, key.key), await verdict(second, key.key)], ['valid', 'valid'])
    return key
  }
  /** At once where the change was made, within a second everywhere else. */
  async function becomes(key: Json, expected: string, question: Record<string, unknown> = {}): Promise<void> {
    assert.equal(await verdict(node, key.key, question), expected)
    await eventually(
      `the second node answers ${expected}`,
      async () => (await verdict(second, key.key, question)) === expected,
    )
  }

  it('issues a key that verifies at once as the Principal that was asked for', async () => {
    const key = await issueKey(node, api, {
      name: 'billing',
      owner: 'customer-7',
      scopes: ['orders:write', 'orders:read', 'orders:read'],
      metadata: { plan: 'gold' },
    })
    assert.match(key.key, /^sk_live_[0-9A-Za-z]{50}$/)
    assert.equal(key.key.slice(8, 20), key.lookup)
    assert.equal(key.key.slice(-4), key.last4)
    assert.deepEqual(key.scopes, ['orders:write', 'orders:read'])
    assert.equal(Date.parse(key.expires_at) - node.clock.nowMs(), 365 * DAY_MS)

    const answer = await verify(node, key.key, { resource: api.uri, scopes: ['orders:read'] })
    assert.equal(answer.valid, true)
    assert.deepEqual(answer.principal, {
      sub: 'customer-7',
      sub_type: 'external',
      tenant: key.tenant,
      resource: api.uri,
      scopes: ['orders:write', 'orders:read'],
      roles: [],
      credential: { type: 'api_key', id: key.id, environment: 'live' },
      expires_at: key.expires_at,
      metadata: { plan: 'gold' },
    })
    assert.equal(answer.cache_seconds, 60)
    assert.equal((await verify(second, key.key)).valid, true)
  })

  it('never shows the key again', async () => {
    const key = await issueKey(node, api)
    const read = await node.request('GET', `/v1/keys/${key.id}`)
    const list = await node.request('GET', '/v1/keys?limit=100')
    const exported = await node.request('GET', '/v1/keys/export')
    const audit = await node.request('GET', '/v1/audit?limit=100')
    const secret = key.key.slice(20)
    for (const { text } of [read, list, exported, audit]) assert.ok(!text.includes(secret))
    assert.equal('key' in read.body, false)
  })

  it('reflects an update on a warm cache: scopes, addresses, expiry', async () => {
    const key = await warmKey()
    await node.done('PATCH', `/v1/keys/${key.id}`, { scopes: ['orders:write'] })
    await becomes(key, 'insufficient_scope', { scopes: ['orders:read'] })
    await becomes(key, 'valid', { scopes: ['orders:write'] })

    await node.done('PATCH', `/v1/keys/${key.id}`, { ip_allow: ['192.0.2.0/24'] })
    await becomes(key, 'ip_not_allowed')
    await becomes(key, 'valid', { ip: '192.0.2.9' })

    const patched = await node.done('PATCH', `/v1/keys/${key.id}`, {
      expires_at: node.clock.at(5_000),
      ip_allow: [],
      name: 'renamed',
      metadata: { a: 1 },
    })
    assert.deepEqual([patched.name, patched.metadata, patched.ip_allow], ['renamed', { a: 1 }, []])
    await becomes(key, 'valid')
    node.clock.advance(5_000)
    await becomes(key, 'expired')
    assert.equal((await node.done('GET', `/v1/keys/${key.id}`)).status, 'expired')
    await node.done('PATCH', `/v1/keys/${key.id}`, { expires_at: null })
    await becomes(key, 'valid')
  })

  it('refuses a disabled key until it is enabled, and takes both twice', async () => {
    const key = await warmKey()
    const disabled = await node.done('POST', `/v1/keys/${key.id}/disable`)
    assert.equal(disabled.status, 'disabled')
    await becomes(key, 'disabled')
    const again = await node.done('POST', `/v1/keys/${key.id}/disable`)
    assert.deepEqual([again.status, again.disabled_at], [disabled.status, disabled.disabled_at])
    assert.equal((await node.done('POST', `/v1/keys/${key.id}/enable`)).status, 'active')
    await becomes(key, 'valid')
    assert.equal((await node.done('POST', `/v1/keys/${key.id}/enable`)).status, 'active')
  })

  it('revokes for ever: not by the second time, an enable, an update or a rotation', async () => {
    const key = await warmKey()
    const revoked = await node.done('POST', `/v1/keys/${key.id}/revoke`, { reason: 'leaked' })
    assert.deepEqual([revoked.status, revoked.revoked_reason], ['revoked', 'leaked'])
    await becomes(key, 'revoked')
    assert.deepEqual(await node.done('POST', `/v1/keys/${key.id}/revoke`, { reason: 'other' }), revoked)
    for (const [method, path, body] of [
      ['POST', 'enable', undefined],
      ['POST', 'disable', undefined],
      ['POST', 'rotate', {}],
    ] as const) {
      const answer = await node.request(method, `/v1/keys/${key.id}/${path}`, { body })
      assert.deepEqual([answer.status, answer.body.code], [409, 'conflict'], path)
    }
    const patch = await node.request('PATCH', `/v1/keys/${key.id}`, { body: { expires_at: null } })
    assert.equal(patch.status, 409)
    assert.equal(await verdict(node, key.key), 'revoked')
  })

  it('rotates with overlap: the new key at once, the old one until its end', async () => {
    const key = await warmKey({ metadata: { plan: 'gold' } })
    const rotated = await node.done('POST', `/v1/keys/${key.id}/rotate`, { overlap_seconds: 3_600 })
    const successor = rotated.key
    assert.equal(successor.rotated_from, key.id)
    assert.equal(rotated.old.rotated_to, successor.id)
    assert.deepEqual(
      [successor.owner, successor.scopes, successor.metadata],
      [key.owner, key.scopes, key.metadata],
    )
    assert.equal(Date.parse(rotated.old.expires_at), node.clock.nowMs() + 3_600_000)
    await becomes(key, 'valid')
    await becomes(successor, 'valid')
    node.clock.advance(3_599_999)
    await becomes(key, 'valid')
    node.clock.advance(1)
    await becomes(key, 'expired')
    await becomes(successor, 'valid')
  })

  it('ends the old key at once with an overlap of 0', async () => {
    const key = await warmKey()
    const { key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, { overlap_seconds: 0 })
    await becomes(key, 'expired')
    await becomes(successor, 'valid')
  })

  it('lets no rotation prolong the old key', async () => {
    const key = await issueKey(node, api, { expires_in_seconds: 60 })
    const { old, key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, {
      overlap_seconds: 86_400,
    })
    assert.equal(old.expires_at, key.expires_at)
    assert.equal(Date.parse(successor.expires_at), node.clock.nowMs() + 60_000)
  })

  it('refuses to rotate a rotated or expired key', async () => {
    const key = await issueKey(node, api)
    const { key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    const again = await node.request('POST', `/v1/keys/${key.id}/rotate`, { body: {} })
    assert.equal(again.status, 409)
    assert.ok(again.body.detail.includes(successor.id))
    const brief = await issueKey(node, api, { expires_in_seconds: 1 })
    node.clock.advance(1_000)
    assert.equal((await node.request('POST', `/v1/keys/${brief.id}/rotate`, { body: {} })).status, 409)
  })

  it('keeps a disabled key disabled through a rotation', async () => {
    const key = await issueKey(node, api)
    await node.done('POST', `/v1/keys/${key.id}/disable`)
    const { key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    assert.equal(successor.status, 'disabled')
    assert.equal(await verdict(node, successor.key), 'disabled')
  })

  it('says whether the old key is still in use since its rotation, and from where', async () => {
    const key = await issueKey(node, api)
    assert.equal((await node.request('GET', `/v1/keys/${key.id}/rotation`)).status, 404)
    await verify(node, key.key, { ip: '198.51.100.7' })
    await settled(node)
    node.clock.advance(1_000)
    const { key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    const before = await node.done('GET', `/v1/keys/${key.id}/rotation`)
    assert.deepEqual([before.old.still_in_use, before.old.networks], [false, []])
    assert.equal(before.new.id, successor.id)

    node.clock.advance(1_000)
    await verify(node, key.key, { ip: '203.0.113.77' })
    await verify(node, key.key, { ip: '203.0.113.78' })
    await settled(node)
    // Asked with either key of the rotation.
    for (const id of [key.id, successor.id]) {
      const { old } = await node.done('GET', `/v1/keys/${id}/rotation`)
      assert.equal(old.still_in_use, true)
      assert.equal(old.id, key.id)
      assert.deepEqual(
        old.networks.map(({ network, uses }: Json) => [network, uses]),
        [['203.0.113.0/24', 2]],
      )
    }
    const { data } = await node.done('GET', `/v1/keys/${key.id}/networks`)
    assert.deepEqual(
      data.map((one: Json) => one.network),
      ['203.0.113.0/24', '198.51.100.0/24'],
    )
    const read = await node.done('GET', `/v1/keys/${key.id}`)
    assert.equal(read.last_used_network, '203.0.113.0/24')
    assert.equal(Date.parse(read.last_used_at), node.clock.nowMs())
  })

  it('counts a refused key as not used', async () => {
    const key = await issueKey(node, api)
    await verify(node, key.key, { scopes: ['orders:write'], ip: '203.0.113.1' })
    await settled(node)
    assert.equal((await node.done('GET', `/v1/keys/${key.id}`)).last_used_at, null)
  })
})

/** Until the uses noted so far are written. */
async function settled(node: Node): Promise<void> {
  const probe = await issueKey(node, await newResource(node))
  await verify(node, probe.key, { ip: '192.0.2.1' })
  await eventually(
    'uses are written',
    async () => (await node.done('GET', `/v1/keys/${probe.id}`)).last_used_at !== null,
    5_000,
  )
}
