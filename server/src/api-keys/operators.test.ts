/** Operators: nobody grants more than they hold, one stays, and no API key's route reaches them. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  verdict,
} from '../../test/deployment.ts'
import { MANAGEMENT_SCOPES } from '../kernel/index.ts'

const EVERYTHING = MANAGEMENT_SCOPES.map((scope) => scope.name)

onBothDatabases('operators', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  let otherApi: Json
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
    otherApi = await newResource(node)
  })
  after(() => Promise.all([node.close(), second.close()]))

  const create = (key: string, body: Record<string, unknown>): ReturnType<Node['request']> =>
    node.request('POST', '/v1/operators', { key, body: { name: 'made', ...body } })

  it('grants no scope that its maker does not hold', async () => {
    const maker = await newOperator(node, ['operators:write', 'keys:read'])
    const more = await create(maker.key, { scopes: ['keys:read', 'keys:write'] })
    assert.deepEqual([more.status, more.body.code], [403, 'forbidden'])
    assert.ok(more.body.detail.includes('keys:write'))
    const same = await create(maker.key, { scopes: ['keys:read'] })
    assert.deepEqual([same.status, same.body.scopes, same.body.tenant], [201, ['keys:read'], null])
    assert.equal((await create(maker.key, { scopes: ['keys:fly'] })).status, 400)
    assert.equal((await create(maker.key, { scopes: [] })).status, 400)
  })

  it('keeps what a tenant operator makes inside the tenant', async () => {
    const tenant = await newTenant(node)
    const maker = await newOperator(node, EVERYTHING, { tenant: tenant.id })
    const made = await create(maker.key, { scopes: ['operators:write'] })
    assert.deepEqual([made.status, made.body.tenant], [201, tenant.id])
    for (const other of [null, (await newTenant(node)).id])
      assert.equal((await create(maker.key, { scopes: ['verify'], tenant: other })).status, 404)
  })

  it('keeps what a confined operator makes inside the same resources', async () => {
    const maker = await newOperator(node, EVERYTHING, { resources: [api.uri] })
    assert.deepEqual(maker.resources, [api.id])
    for (const resources of [[otherApi.id], [api.id, otherApi.uri]])
      assert.equal((await create(maker.key, { scopes: ['verify'], resources })).status, 404)
    for (const resources of [undefined, null, [api.id]]) {
      const made = await create(maker.key, { scopes: ['verify'], resources })
      assert.deepEqual([made.status, made.body.resources], [201, [api.id]])
    }
    const resource = await node.request('POST', '/v1/resources', {
      key: maker.key,
      body: { uri: 'https://confined.test', name: 'x', scopes: [] },
    })
    assert.equal(resource.status, 403)
    for (const path of [`/v1/operators/${(await newOperator(node, ['verify'])).id}`]) {
      assert.equal((await node.request('GET', path, { key: maker.key })).status, 404)
      assert.equal((await node.request('POST', `${path}/revoke`, { key: maker.key, body: {} })).status, 404)
    }
  })

  it('lets nobody take over a stronger operator by rotating or revoking it', async () => {
    const weak = await newOperator(node, ['operators:write'])
    const strong = await newOperator(node, ['operators:write', 'keys:write'])
    for (const verb of ['rotate', 'revoke']) {
      const answer = await node.request('POST', `/v1/operators/${strong.id}/${verb}`, {
        key: weak.key,
        body: {},
      })
      assert.deepEqual([answer.status, answer.body.code], [403, 'forbidden'], verb)
    }
    assert.equal((await node.request('GET', '/v1/keys', { key: strong.key })).status, 403)
  })

  it('needs operators:write to make one: keys:write is not enough', async () => {
    const keys = await newOperator(
      node,
      EVERYTHING.filter((scope) => scope !== 'operators:write'),
    )
    const answer = await create(keys.key, { scopes: ['verify'] })
    assert.deepEqual([answer.status, answer.body.code], [403, 'insufficient_scope'])
    assert.match(String(answer.headers['www-authenticate']), /scope="operators:write"/)
    for (const resource of ['urn:postern:management', 'res_0000000000000000000000']) {
      const issued = await node.request('POST', '/v1/keys', {
        key: keys.key,
        body: { name: 'n', owner: 'o', resource, scopes: ['operators:write'] },
      })
      assert.equal(issued.status, 404)
    }
  })

  it('is in no list of keys, and reached by no route of keys', async () => {
    const operator = await newOperator(node, ['verify'])
    const listed = await node.request('GET', '/v1/keys?limit=100')
    const exported = await node.request('GET', '/v1/keys/export')
    assert.ok(!listed.text.includes(operator.id) && !exported.text.includes(operator.id))
    for (const { method, url } of node.deployment.server.posternHttp.routes) {
      if (!url.startsWith('/v1/keys/:id')) continue
      const body = method === 'GET' ? undefined : method === 'PATCH' ? { name: 'x' } : {}
      const answer = await node.request(method, url.replace(':id', operator.id), { body })
      assert.equal(answer.status, 404, `${method} ${url}`)
    }
    const bulk = await node.done('POST', '/v1/keys/bulk-revoke', { filter: { ids: [operator.id] } })
    assert.deepEqual([bulk.matched, bulk.revoked], [0, 0])
    assert.equal(await verdict(node, operator.key), 'valid')
    const key = await node.done('POST', '/v1/keys', { name: 'n', owner: 'o', resource: api.uri, scopes: [] })
    assert.equal((await node.request('GET', `/v1/operators/${key.id}`)).status, 404)
    assert.equal((await node.request('POST', `/v1/operators/${key.id}/revoke`, { body: {} })).status, 404)
  })

  it('keeps the management URI and prefix for itself, however they are spelt', async () => {
    for (const uri of ['urn:postern:management', 'urn:postern:other', 'URN:Postern:management', 'res_x:y']) {
      const answer = await node.request('POST', '/v1/resources', { body: { uri, name: 'x', scopes: [] } })
      assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [400, '/uri'], uri)
    }
    const prefixed = { uri: 'https://p.test', name: 'x', scopes: [], key_prefix: 'postern' }
    const answer = await node.request('POST', '/v1/resources', { body: prefixed })
    assert.deepEqual([answer.status, answer.body.errors?.[0].pointer], [400, '/key_prefix'])
    const patched = await node.request('PATCH', `/v1/resources/${api.id}`, {
      body: { key_prefix: 'postern' },
    })
    assert.equal(patched.status, 400)
    for (const method of ['GET', 'PATCH', 'DELETE'] as const) {
      const body = method === 'PATCH' ? { name: 'x' } : undefined
      const reached = await node.request(method, '/v1/resources/res_0000000000000000000000', { body })
      assert.equal(reached.status, 404, method)
    }
  })

  it('refuses a revoked operator at once on every node that manages, and soon on every one that verifies', async () => {
    const operator = await newOperator(node, ['keys:read', 'verify'])
    const asks = (on: Node): Promise<number> =>
      on
        .request('POST', '/v1/verify', { key: operator.key, body: { credential: 'x' } })
        .then(({ status }) => status)
    assert.deepEqual([await asks(node), await asks(second)], [200, 200])
    await node.done('POST', `/v1/operators/${operator.id}/revoke`, { reason: 'left' })
    assert.equal((await second.request('GET', '/v1/keys', { key: operator.key })).status, 401)
    assert.equal(await asks(node), 401)
    await eventually('the second node refuses it', async () => (await asks(second)) === 401)
  })

  it('rotates an operator: the new key at once, the old one until its end', async () => {
    const operator = await newOperator(node, ['keys:read'])
    const { key, old } = await node.done('POST', `/v1/operators/${operator.id}/rotate`, {
      overlap_seconds: 60,
    })
    assert.deepEqual([old.rotated_to, key.rotated_from], [key.id, operator.id])
    const lists = async (bearer: string): Promise<number> =>
      (await node.request('GET', '/v1/keys', { key: bearer })).status
    assert.deepEqual([await lists(operator.key), await lists(key.key)], [200, 200])
    node.clock.advance(60_000)
    assert.deepEqual([await lists(operator.key), await lists(key.key)], [401, 200])
  })

  it('refuses an operator key that a browser sends, or that stands in the URL', async () => {
    const page = await node.request('GET', '/v1/keys', { headers: { origin: 'https://evil.test' } })
    assert.deepEqual([page.status, page.body.code], [401, 'exposed_in_browser'])
    const url = await node.request('GET', `/v1/keys?owner=${node.operatorKey}`, { key: null })
    assert.deepEqual([url.status, url.body.code], [401, 'exposed_in_url'])
    assert.ok(!url.text.includes(node.operatorKey))
    const both = await node.request('GET', '/v1/keys', { headers: { 'x-api-key': node.operatorKey } })
    assert.deepEqual([both.status, both.body.code], [401, 'multiple_credentials'])
    const none = await node.request('GET', '/v1/keys', { key: null })
    assert.deepEqual([none.status, none.body.code], [401, 'missing'])
    assert.equal(none.headers['www-authenticate'], 'Bearer realm="postern"')
  })

  it('keeps the last deployment operator, whoever else is left', async () => {
    const alone = await openNode(await fresh())
    const [first] = (await alone.done('GET', '/v1/operators')).data
    const refuses = async (why: string): Promise<void> => {
      const answer = await alone.request('POST', `/v1/operators/${first.id}/revoke`, { body: {} })
      assert.deepEqual([answer.status, answer.body.code], [409, 'last_operator'], why)
    }
    await refuses('nobody else')
    const tenant = await newTenant(alone)
    const resource = await newResource(alone)
    await newOperator(alone, EVERYTHING, { tenant: tenant.id })
    await newOperator(alone, EVERYTHING, { resources: [resource.id] })
    await newOperator(
      alone,
      EVERYTHING.filter((scope) => scope !== 'operators:write'),
    )
    const brief = await newOperator(alone, EVERYTHING, { expires_in_seconds: 1 })
    alone.clock.advance(1_000)
    await refuses('one of a tenant, one confined, one without the scope, one expired')
    assert.equal(brief.status, 'active')
    const other = await newOperator(alone, EVERYTHING)
    await alone.done('POST', `/v1/operators/${first.id}/revoke`, {}, other.key)
    assert.equal((await alone.request('GET', '/v1/operators')).status, 401)
    await alone.close()
  })

  it('does not count an operator whose key is being rotated away', async () => {
    const alone = await openNode(await fresh())
    const [first] = (await alone.done('GET', '/v1/operators')).data
    const { key: successor } = await alone.done('POST', `/v1/operators/${first.id}/rotate`, {})
    const answer = await alone.request('POST', `/v1/operators/${successor.id}/revoke`, { body: {} })
    assert.deepEqual([answer.status, answer.body.code], [409, 'last_operator'])
    await alone.done('POST', `/v1/operators/${first.id}/revoke`, {}, successor.key)
    await alone.close()
  })

  it('keeps one of two that revoke each other on two nodes at the same moment', async () => {
    const [one, other] = await openTwo(fresh)
    const [first] = (await one.done('GET', '/v1/operators')).data
    const rival = await newOperator(one, EVERYTHING)
    const answers = await Promise.all([
      one.request('POST', `/v1/operators/${rival.id}/revoke`, { body: {} }),
      other.request('POST', `/v1/operators/${first.id}/revoke`, { body: {}, key: rival.key }),
    ])
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409])
    assert.equal(answers.find(({ status }) => status === 409)?.body.code, 'last_operator')
    await Promise.all([one.close(), other.close()])
  })
})

async function openTwo(fresh: () => Promise<Parameters<typeof openNode>[0]>): Promise<[Node, Node]> {
  const one = await openNode(await fresh())
  return [one, await one.secondNode()]
}
