/** A refusal tells by nothing, not by its work either, whether a key exists: the same reads, the same hashing. */
import assert from 'node:assert/strict'
import { after, before, it, mock } from 'node:test'
import { crc32 } from 'node:zlib'
import { onBothDatabases } from '../../test/databases.ts'
import { issueKey, type Json, newResource, type Node, openNode, verify } from '../../test/deployment.ts'
import { findPresentedKey } from '../api-keys/index.ts'
import { generateKey } from '../api-keys/key-format.ts'
import { encodeBase62 } from '../kernel/index.ts'

onBothDatabases('equal work', (fresh) => {
  let node: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
  })
  after(() => node.close())

  /** What finding a key costs. Counted where nothing else reads: the deployment's own storage is also read by its feed. */
  const workOf = async (text: string) => {
    const { storage, context } = node.deployment
    let reads = 0
    const counting = new Proxy(storage, {
      get(target, name) {
        if (name === 'read' || name === 'scan' || name === 'write') reads++
        const member: unknown = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const comparisons = mock.method(context.peppers, 'matches')
    try {
      const found = await findPresentedKey(counting, context.peppers, text, api.uri)
      return { found, reads, comparisons: comparisons.mock.callCount() }
    } finally {
      comparisons.mock.restore()
    }
  }

  it('is done for a key that nobody has and for one with another secret, and they answer alike', async () => {
    const { key } = await issueKey(node, api)
    const start = (key as string).slice(0, 'sk_live_'.length + 12)
    const body = start + generateKey('sk', 'live').key.slice(start.length, -6)
    const wrong = body + encodeBase62(crc32(body), 6)
    const unknown = generateKey('sk', 'live').key
    const once = { found: undefined, reads: 1, comparisons: 1 }
    assert.deepEqual([await workOf(wrong), await workOf(unknown)], [once, once])
    const [one, other] = [await verify(node, wrong), await verify(node, unknown)]
    assert.equal(one.code, 'unknown')
    assert.deepEqual({ ...one, as_of: 0 }, { ...other, as_of: 0 })
    assert.ok((await workOf(key)).found)
  })
})
