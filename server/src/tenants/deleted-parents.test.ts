/** Deleting a tenant or a resource: its keys are dead at once everywhere, and gone later. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  importKeys,
  issueKey,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  verdict,
} from '../../test/deployment.ts'
import { purgeDeletedParents } from '../api-keys/index.ts'

onBothDatabases('deleting', (fresh) => {
  let node: Node
  let second: Node
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
  })
  after(() => Promise.all([node.close(), second.close()]))

  for (const noun of ['tenant', 'resource'] as const)
    it(`ends the keys of a deleted ${noun} on every node, and purges them in batches`, async () => {
      const resource = await newResource(node)
      const tenant = await newTenant(node)
      await importKeys(node, resource, 519, { tenant: tenant.id })
      const first = await issueKey(node, resource, { tenant: tenant.id })
      const unseen = await issueKey(node, resource, { tenant: tenant.id })
      const kept = await issueKey(node, await newResource(node))
      assert.equal(await verdict(node, first.key), 'valid')
      assert.equal(await verdict(second, first.key), 'valid')
      const path = noun === 'tenant' ? `/v1/tenants/${tenant.id}` : `/v1/resources/${resource.id}`
      await node.done('DELETE', path)

      assert.equal(await verdict(node, first.key), 'revoked')
      assert.equal(await verdict(node, unseen.key), 'revoked')
      await eventually('the second node knows', async () => (await verdict(second, first.key)) === 'revoked')
      assert.equal((await node.request('GET', path)).status, 404)
      assert.equal((await node.request('DELETE', path)).status, 404)
      const issue = await node.request('POST', '/v1/keys', {
        body: { name: 'n', owner: 'o', resource: resource.id, tenant: tenant.id, scopes: [] },
      })
      assert.equal(issue.status, 404)

      assert.equal(await purgeDeletedParents(node.deployment.storage), 521)
      assert.equal(await purgeDeletedParents(node.deployment.storage), 0)
      assert.equal((await node.request('GET', `/v1/keys/${first.id}`)).status, 404)
      assert.equal(await verdict(second, unseen.key), 'unknown')
      assert.equal(await verdict(node, kept.key), 'valid')
    })

  it('ends the operators of a deleted tenant', async () => {
    const tenant = await newTenant(node)
    const { key } = await newOperator(node, ['keys:read', 'verify'], { tenant: tenant.id })
    assert.equal((await second.request('POST', '/v1/verify', { key, body: { credential: 'x' } })).status, 200)
    await node.done('DELETE', `/v1/tenants/${tenant.id}`)
    assert.equal((await second.request('GET', '/v1/keys', { key })).status, 401)
    await eventually(
      'the second node refuses it as a verifier',
      async () =>
        (await second.request('POST', '/v1/verify', { key, body: { credential: 'x' } })).status === 401,
    )
  })

  it('lets a URI be used again, which brings no old key back', async () => {
    const resource = await newResource(node)
    const key = await issueKey(node, resource)
    const taken = await node.request('POST', '/v1/resources', {
      body: { uri: resource.uri, name: 'again', scopes: [] },
    })
    assert.equal(taken.status, 409)
    await node.done('DELETE', `/v1/resources/${resource.id}`)
    const again = await newResource(node, { uri: resource.uri })
    assert.notEqual(again.id, resource.id)
    assert.equal(await verdict(node, key.key, { resource: resource.uri }), 'revoked')
  })
})
