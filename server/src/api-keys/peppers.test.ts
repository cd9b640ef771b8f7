/** The pepper: rotated without anything that works ceasing to work, on nodes that have not heard of it too. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  importedKey,
  importKeys,
  issueKey,
  newOperator,
  type Json,
  newResource,
  type Node,
  openNode,
  verdict,
} from '../../test/deployment.ts'

onBothDatabases('the pepper', (fresh) => {
  let node: Node
  let stale: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    stale = await node.secondNode()
    api = await newResource(node)
  })
  after(() => Promise.all([node.close(), stale.close()]))

  const versionOf = async (id: string): Promise<number> => {
    const { rows } = await sql<{ pepper_version: number }>`
      SELECT pepper_version FROM api_keys WHERE id = ${id}`.execute(node.deployment.storage.read())
    return rows[0]?.pepper_version as number
  }

  it('is rotated: old keys work, move to the new version when used, and a stale node follows', async () => {
    const used = await issueKey(node, api)
    const unused = await issueKey(node, api)
    const [imported] = (await importKeys(node, api, 1)) as [string]
    const importedId = (await node.done('GET', `/v1/keys?resource=${api.id}`)).data.find(
      (key: Json) => key.imported,
    ).id
    assert.equal(await verdict(stale, used.key), 'valid')

    const rotated = await node.request('POST', '/v1/peppers/rotate', { body: {} })
    assert.deepEqual([rotated.status, rotated.body], [201, { version: 2 }])
    assert.equal(await verdict(node, used.key), 'valid')
    assert.equal(await verdict(node, imported, { resource: api.uri }), 'valid')
    await eventually(
      'both used keys have moved',
      async () => (await versionOf(used.id)) === 2 && (await versionOf(importedId)) === 2,
      5_000,
    )
    assert.equal(await versionOf(unused.id), 1)
    for (const on of [node, stale]) {
      assert.equal(await verdict(on, used.key), 'valid')
      assert.equal(await verdict(on, unused.key), 'valid')
    }
  })

  it('finds an imported key that moved to a pepper which this node has not read', async () => {
    const other = await newResource(node)
    const [text] = (await importKeys(node, other, 1)) as [string]
    const late = await node.secondNode()
    // Not the first operator: its own key moves as well, and would make the late node read the new pepper.
    const { key: callerKey } = await newOperator(node, ['verify'])
    const before = (await node.done('GET', '/v1/peppers')).data.length
    await node.done('POST', '/v1/peppers/rotate', {})
    assert.equal(await verdict(node, text, { resource: other.uri }), 'valid')
    const { id } = (await node.done('GET', `/v1/keys?resource=${other.id}`)).data[0]
    await eventually('it has moved', async () => (await versionOf(id)) === before + 1, 5_000)
    assert.equal(await verdict(late, text, { resource: other.uri, callerKey }), 'valid')
    await late.close()
  })

  it('does not import a key twice on a node that has not read the pepper it moved to', async () => {
    const other = await newResource(node)
    const [text] = (await importKeys(node, other, 1)) as [string]
    const late = await node.secondNode()
    const { key } = await newOperator(node, ['keys:write'])
    await node.done('POST', '/v1/peppers/rotate', {})
    const { version } = (await node.done('GET', '/v1/peppers')).data.at(-1)
    await verdict(node, text, { resource: other.uri })
    const { id } = (await node.done('GET', `/v1/keys?resource=${other.id}`)).data[0]
    await eventually('it has moved', async () => (await versionOf(id)) === version, 5_000)
    const answer = await late.request('POST', '/v1/keys/import', {
      key,
      body: { high_entropy: true, resource: other.uri, keys: [importedKey(text)] },
    })
    assert.deepEqual([answer.body.imported, answer.body.skipped], [0, 1])
    await late.close()
  })

  it('lets a stale node issue, and every node verify what it issued', async () => {
    const late = await node.secondNode()
    const { key: issuer } = await newOperator(node, ['keys:write'])
    await node.done('POST', '/v1/peppers/rotate', {})
    const input = { name: 'n', owner: 'o', resource: api.id, scopes: [] }
    const key = await late.done('POST', '/v1/keys', input, issuer)
    assert.ok((await versionOf(key.id)) < (await node.done('GET', '/v1/peppers')).data.at(-1).version)
    for (const on of [late, node, stale]) assert.equal(await verdict(on, key.key), 'valid')
    const fresher = await issueKey(node, api)
    for (const on of [late, node, stale]) assert.equal(await verdict(on, fresher.key), 'valid')
    await late.close()
  })

  it('says how many keys still stand under each version', async () => {
    const { version } = (await node.done('GET', '/v1/peppers')).data.at(-1)
    const revoked = await issueKey(node, api)
    await node.done('POST', `/v1/keys/${revoked.id}/revoke`, {})
    const keys = await Promise.all([issueKey(node, api), issueKey(node, api)])
    const countOf = async (): Promise<number> =>
      (await node.done('GET', '/v1/peppers')).data.find((pepper: Json) => pepper.version === version).keys
    const stood = await countOf()
    await node.done('POST', `/v1/keys/${keys[0].id}/revoke`, {})
    assert.equal(await countOf(), stood - 1)
    const { data } = await node.done('GET', '/v1/peppers')
    assert.deepEqual(
      data.map((pepper: Json) => pepper.current),
      data.map((_: Json, index: number) => index === data.length - 1),
    )
  })

  it('is rotated by one of two nodes that try at once, or by both in turn', async () => {
    const answers = await Promise.all(
      [node, stale].map((on) => on.request('POST', '/v1/peppers/rotate', { body: {} })),
    )
    for (const { status } of answers) assert.ok([201, 409].includes(status), String(status))
    const { data } = await node.done('GET', '/v1/peppers')
    assert.equal(new Set(data.map((pepper: Json) => pepper.version)).size, data.length)
  })
})
