/** What a key may be: every rule refuses by naming the member, and its edge is taken. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import { issueKey, type Json, newResource, type Node, openNode, verdict } from '../../test/deployment.ts'

const CENTURY_MS = 100 * 366 * 86_400_000

onBothDatabases('the rules of keys', (fresh) => {
  let node: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
  })
  after(() => node.close())

  const refused = (pointer: string, more: Record<string, unknown>): [string, Record<string, unknown>] => [
    pointer,
    more,
  ]
  const metadataOf = (bytes: number): Record<string, string> => ({ a: 'x'.repeat(bytes - 8) })

  it('refuses what breaks a rule, and says which member does', async () => {
    const rules = [
      refused('/scopes', { scopes: ['orders:read', 'orders:fly'] }),
      refused('/owner', { owner: 'usr_0000000000000000000000' }),
      refused('/owner', { owner: 'key_x' }),
      refused('/owner', { owner: '' }),
      refused('/owner', { owner: 'a\nb' }),
      refused('/owner', { owner: 'x'.repeat(201) }),
      refused('/name', { name: '' }),
      refused('/ip_allow', { ip_allow: ['192.0.2.0/33'] }),
      refused('/ip_allow', { ip_allow: ['192.0.2.0/'] }),
      refused('/ip_allow', { ip_allow: ['192.0.2.0/-1'] }),
      refused('/ip_allow', { ip_allow: ['0x7f.1'] }),
      refused('/ip_allow', { ip_allow: ['example.com'] }),
      refused('/ip_allow', { ip_allow: Array.from({ length: 101 }, () => '192.0.2.1') }),
      refused('/metadata', { metadata: metadataOf(4_097) }),
      refused('/metadata', { metadata: [] }),
      refused('/expires_at', { expires_at: node.clock.at(0) }),
      refused('/expires_at', { expires_at: node.clock.at(-1) }),
      refused('/expires_at', { expires_at: node.clock.at(CENTURY_MS + 1) }),
      refused('/expires_at', { expires_at: '2027-02-30T00:00:00Z' }),
      refused('/expires_at', { expires_at: '2027-06-30T23:59:60Z' }),
      refused('/expires_at', { expires_at: 'tomorrow' }),
      refused('/expires_in_seconds', { expires_at: node.clock.at(1_000), expires_in_seconds: 5 }),
      refused('/expires_in_seconds', { expires_in_seconds: 0 }),
      refused('/environment', { environment: 'staging' }),
      refused('/expire_at', { expire_at: node.clock.at(1_000) }),
    ]
    for (const [pointer, more] of rules) {
      const answer = await node.request('POST', '/v1/keys', {
        body: { name: 'a key', owner: 'customer-1', resource: api.uri, scopes: [], ...more },
      })
      assert.deepEqual([answer.status, answer.body.code], [400, 'invalid_request'], JSON.stringify(more))
      assert.ok(
        answer.body.errors[0].pointer.startsWith(pointer),
        `${answer.body.errors[0].pointer} is not ${pointer}`,
      )
    }
  })

  it('takes the edges of the rules', async () => {
    await issueKey(node, api, { scopes: [] })
    await issueKey(node, api, { owner: 'x'.repeat(200), name: 'ñ 名' })
    await issueKey(node, api, { metadata: metadataOf(4_096) })
    await issueKey(node, api, { expires_at: node.clock.at(CENTURY_MS) })
    const brief = await issueKey(node, api, { expires_at: node.clock.at(1) })
    assert.equal(await verdict(node, brief.key), 'valid')
    const blocks = ['0.0.0.0/0', '::/0', '2001:db8::1', '192.0.2.1', '::ffff:192.0.2.0/24']
    assert.deepEqual((await issueKey(node, api, { ip_allow: blocks })).ip_allow, blocks)
  })

  it('lets "never" be chosen, and writes that into the audit', async () => {
    const key = await issueKey(node, api, { expires_at: null })
    assert.equal(key.expires_at, null)
    const { data } = await node.done('GET', `/v1/audit?target=${key.id}`)
    assert.equal(data[0].data.expires, 'never')

    const { key: successor } = await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    assert.equal(successor.expires_at, null)
    const rotation = await node.done('GET', `/v1/audit?target=${key.id}&action=api_key.rotated`)
    assert.equal(rotation.data[0].data.expires, 'never')
  })

  it('takes the lifetime of the resource when none is given', async () => {
    const brief = await newResource(node, { key_lifetime_seconds: 60 })
    const key = await issueKey(node, brief)
    assert.equal(Date.parse(key.expires_at), node.clock.nowMs() + 60_000)
    const endless = await newResource(node, { key_lifetime_seconds: null })
    assert.equal((await issueKey(node, endless)).expires_at, null)
  })

  it('refuses a resource or tenant that does not exist as not found', async () => {
    for (const more of [
      { resource: 'https://nowhere.test' },
      { resource: 'res_0000000000000000000009' },
      { resource: 'urn:postern:management' },
      { tenant: 'ten_0000000000000000000009' },
      { tenant: 'ten_0000000000000000000000' },
    ]) {
      const answer = await node.request('POST', '/v1/keys', {
        body: { name: 'a key', owner: 'customer-1', resource: api.uri, scopes: [], ...more },
      })
      assert.deepEqual([answer.status, answer.body.code], [404, 'not_found'], JSON.stringify(more))
    }
  })

  it('names the resource by its id as well as by its URI', async () => {
    assert.equal((await issueKey(node, api, { resource: api.id })).resource_id, api.id)
  })

  it('stops counting a scope that its resource lost, and counts it again when it is back', async () => {
    const resource = await newResource(node)
    const key = await issueKey(node, resource, { scopes: ['orders:read', 'orders:write'] })
    const scopes = resource.scopes
    assert.equal(await verdict(node, key.key, { scopes: ['orders:write'] }), 'valid')
    await node.done('PATCH', `/v1/resources/${resource.id}`, { scopes: scopes.slice(0, 1) })
    assert.equal(await verdict(node, key.key, { scopes: ['orders:write'] }), 'insufficient_scope')
    assert.equal(await verdict(node, key.key, { scopes: ['orders:read'] }), 'valid')
    await node.done('PATCH', `/v1/resources/${resource.id}`, { scopes })
    assert.equal(await verdict(node, key.key, { scopes: ['orders:write'] }), 'valid')
  })
})
