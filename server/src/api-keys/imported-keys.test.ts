/** Keys that were issued and hashed elsewhere: their holders notice nothing. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  importedKey,
  importKeys,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  verdict,
  verify,
} from '../../test/deployment.ts'

onBothDatabases('imported keys', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
  })
  after(() => Promise.all([node.close(), second.close()]))

  const newText = (): string => randomBytes(24).toString('base64url')
  const importOn = (
    on: Node,
    keys: Json[],
    more: Record<string, unknown> = {},
  ): ReturnType<Node['request']> =>
    on.request('POST', '/v1/keys/import', {
      body: { high_entropy: true, resource: api.uri, keys, ...more },
    })

  it('verify by the text that their holders have, in whichever encoding the digest came', async () => {
    for (const encode of [
      (digest: Buffer) => ({ encoding: 'hex', digest: digest.toString('hex') }),
      (digest: Buffer) => ({ encoding: 'hex', digest: digest.toString('hex').toUpperCase() }),
      (digest: Buffer) => ({ encoding: 'base64', digest: digest.toString('base64') }),
      (digest: Buffer) => ({ encoding: 'base64', digest: digest.toString('base64url') }),
    ]) {
      const text = newText()
      const key = { ...importedKey(text), ...encode(createHash('sha256').update(text).digest()) }
      const { body } = await importOn(node, [key])
      assert.deepEqual(body, { imported: 1, skipped: 0, errors: [] })
      const answer = await verify(node, text, { resource: api.uri })
      assert.deepEqual([answer.valid, answer.principal?.sub], [true, 'customer-1'])
      assert.equal(await verdict(node, `${text}x`, { resource: api.uri }), 'unknown')
      assert.equal(await verdict(node, text), 'unknown', 'without the resource it is nobody’s')
    }
  })

  it('verify when they look like keys of our own, as those of others do', async () => {
    for (const text of [
      `sk_live_${'4eC39HqLyjWDarjtT1zdp7dc'}${newText().replace(/[-_]/g, 'x')}`.slice(0, 32),
      `sk_test_${newText().replace(/[-_]/g, 'y')}`,
      `pk_live_${randomBytes(40).toString('hex')}`,
    ]) {
      await importOn(node, [importedKey(text)])
      for (const temperature of ['cold', 'warm'])
        assert.equal(await verdict(node, text, { resource: api.uri }), 'valid', `${text}, ${temperature}`)
    }
  })

  it('never show what they could be verified or guessed by', async () => {
    const text = newText()
    const owner = newText()
    await importOn(node, [importedKey(text, { owner, last4: text.slice(-4) })])
    const { data } = await node.done('GET', `/v1/keys?owner=${owner}`)
    assert.deepEqual([data[0].imported, data[0].lookup, data[0].last4], [true, null, text.slice(-4)])
    assert.ok(!JSON.stringify(data).includes(importedKey(text).digest))
  })

  it('skip what is there, and report what is faulty by its index', async () => {
    const [a, b, c] = [newText(), newText(), newText()]
    await importOn(node, [importedKey(a)])
    const { status, body } = await importOn(node, [
      importedKey(a),
      importedKey(b),
      importedKey(b),
      importedKey(c, { scopes: ['orders:fly'] }),
      importedKey(c, { owner: 'usr_0000000000000000000000' }),
      importedKey(c, { digest: 'z'.repeat(64) }),
      importedKey(c, { digest: 'a'.repeat(44), encoding: 'base64' }),
      importedKey(c, { ip_allow: ['nowhere'] }),
      importedKey(c, { expires_at: node.clock.at(-1) }),
      importedKey(c, { prefix: 'postern' }),
      importedKey(c),
    ])
    assert.equal(status, 200)
    assert.deepEqual([body.imported, body.skipped], [2, 2])
    assert.deepEqual(
      body.errors.map((error: Json) => error.index),
      [3, 4, 5, 6, 7, 8, 9],
    )
    for (const text of [a, b, c]) assert.equal(await verdict(node, text, { resource: api.uri }), 'valid')
  })

  it('need the statement that they were drawn at random', async () => {
    for (const statement of [undefined, false]) {
      const { status } = await importOn(node, [importedKey(newText())], { high_entropy: statement })
      assert.equal(status, 400)
    }
  })

  it('are taken 1,000 at once with the faulty ones among them, and no more', async () => {
    const resource = await newResource(node)
    const keys = Array.from({ length: 1_000 }, (_, index) =>
      importedKey(newText(), index % 100 === 7 ? { scopes: ['orders:fly'] } : {}),
    )
    const answer = await importOn(node, keys, { resource: resource.uri })
    assert.deepEqual([answer.body.imported, answer.body.errors.length], [990, 10])
    const many = await importOn(node, [...keys, importedKey(newText())], { resource: resource.uri })
    assert.equal(many.status, 400)
    const audit = await node.done('GET', `/v1/audit?action=api_key.imported&target=${resource.id}`)
    assert.deepEqual(
      audit.data.map((event: Json) => event.data.count),
      [990],
    )
  })

  it('are nobody’s when two tenants brought the same one and none is named', async () => {
    const [one, other] = [await newTenant(node), await newTenant(node)]
    const text = newText()
    for (const tenant of [one, other]) await importOn(node, [importedKey(text)], { tenant: tenant.id })
    const asked = { resource: api.uri }
    assert.equal(await verdict(node, text, asked), 'unknown')
    for (const tenant of [one, other]) {
      const answer = await verify(node, text, { ...asked, tenant: tenant.id })
      assert.equal(answer.principal?.tenant, tenant.id)
    }
  })

  it('are found for a verifier of one tenant, whatever another tenant brought', async () => {
    const [one, other] = [await newTenant(node), await newTenant(node)]
    const text = newText()
    for (const tenant of [one, other]) await importOn(node, [importedKey(text)], { tenant: tenant.id })
    for (const tenant of [one, other]) {
      const callerKey = (await newOperator(node, ['verify'], { tenant: tenant.id })).key
      for (const temperature of ['cold', 'warm']) {
        const answer = await verify(node, text, { resource: api.uri, callerKey })
        assert.equal(answer.principal?.tenant, tenant.id, temperature)
      }
    }
    assert.equal(await verdict(node, text, { resource: api.uri }), 'unknown')
  })

  it('are made once when two nodes import the same ones at the same moment', async () => {
    const resource = await newResource(node)
    for (let round = 0; round < 8; round++) {
      const keys = Array.from({ length: 200 }, () => importedKey(newText()))
      const answers = await Promise.all(
        [node, second].map((on) => importOn(on, keys, { resource: resource.uri })),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        [200, 200],
      )
      const sum = (member: string): number => answers.reduce((total, { body }) => total + body[member], 0)
      assert.deepEqual([sum('imported'), sum('skipped')], [200, 200])
    }
  })

  it('are rotated into a key of our own', async () => {
    const resource = await newResource(node)
    const [text] = await importKeys(node, resource, 1)
    const { data } = await node.done('GET', `/v1/keys?resource=${resource.id}`)
    const { key } = await node.done('POST', `/v1/keys/${data[0].id}/rotate`, { overlap_seconds: 60 })
    assert.match(key.key, /^sk_live_[0-9A-Za-z]{50}$/)
    assert.equal(await verdict(node, text as string, { resource: resource.uri }), 'valid')
    assert.equal(await verdict(node, key.key), 'valid')
    node.clock.advance(60_000)
    assert.equal(await verdict(node, text as string, { resource: resource.uri }), 'expired')
  })
})
