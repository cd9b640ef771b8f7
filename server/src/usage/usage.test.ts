/** Usage in a deployment: what is counted, who sees it, and what becomes of it. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases, type TestDatabase } from '../../test/databases.ts'
import {
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
  TestClock,
  unique,
  verdict,
} from '../../test/deployment.ts'
import { tendUsage } from './index.ts'

onBothDatabases('usage', (fresh) => {
  let node: Node
  let database: TestDatabase
  let api: Json
  before(async () => {
    database = await fresh()
    node = await openNode(database)
    api = await newResource(node)
  })
  after(() => node.close())

  const ask = async (key: string, howMany: number, more: Record<string, unknown> = {}) => {
    for (let count = 0; count < howMany; count++) await verdict(node, key, more)
    await node.deployment.usage.flush()
  }
  const usage = async (query: string, key?: string): Promise<Json[]> =>
    (await node.done('GET', `/v1/usage?${query}`, undefined, key)).data

  it('counts each decision by credential, route and result, also of refusals and of what is unknown', async () => {
    const key = await issueKey(node, api)
    await ask(key.key, 3, { route: 'GET /orders' })
    await ask(key.key, 2, { route: 'GET /orders', scopes: ['nothing:has-this'] })
    await ask(key.key, 1, { route: 'POST /orders' })
    assert.deepEqual(await usage(`credential=${key.id}&group_by=route,result`), [
      { route: 'GET /orders', result: 'valid', count: 3 },
      { route: 'GET /orders', result: 'insufficient_scope', count: 2 },
      { route: 'POST /orders', result: 'valid', count: 1 },
    ])
    assert.deepEqual(await usage(`credential=${key.id}&group_by=tenant,resource&result=valid`), [
      { tenant: key.tenant, resource: api.uri, count: 4 },
    ])
    const route = `stranger ${unique()}`
    await ask('no-key-of-ours', 2, { route })
    assert.deepEqual(await usage(`route=${encodeURIComponent(route)}&group_by=credential,result`), [
      { credential: '', result: 'unknown', count: 2 },
    ])
  })

  it('sums minutes, hours and days alike, and keeps a row for a key, route and hour however many requests', async () => {
    const own = await fresh()
    const clock = new TestClock()
    const other = await openNode(own, { clock })
    const resource = await newResource(other)
    const key = await issueKey(other, resource)
    // Two days, a request every quarter of an hour; from noon.
    for (let quarter = 0; quarter < 192; quarter++) {
      await verdict(other, key.key, { route: 'r' })
      await other.deployment.usage.flush()
      clock.advance(15 * 60_000)
    }
    const sums = async (interval: string): Promise<number[]> =>
      (
        await other.done(
          'GET',
          `/v1/usage?interval=${interval}&credential=${key.id}&since=2027-01-01T00:00:00Z&until=2028-01-01T00:00:00Z`,
        )
      ).data.map((row: Json) => row.count)
    assert.equal((await sums('minute')).length, 192)
    assert.deepEqual(
      await sums('hour'),
      Array.from({ length: 48 }, () => 4),
    )
    assert.deepEqual(await sums('day'), [48, 96, 48])

    const { storage } = other.deployment
    const kept = { minutesForHours: 1, hoursForDays: 2, daysForDays: 800 }
    for (let time = 0; time < 4; time++) await tendUsage(storage, clock, kept)
    assert.ok((await sums('minute')).length <= 4)
    assert.deepEqual(await sums('day'), [48, 96, 48])
    clock.advance(30 * 86_400_000)
    for (let time = 0; time < 4; time++) await tendUsage(storage, clock, kept)
    assert.deepEqual(await sums('hour'), [])
    assert.deepEqual(await sums('day'), [48, 96, 48])
    await tendUsage(storage, clock, { ...kept, daysForDays: 2 })
    assert.deepEqual(await sums('day'), [])
    await other.close()
  })

  it('keeps the last requests of a key in a bounded ring, with time, route, address and result', async () => {
    const key = await issueKey(node, api)
    for (let round = 0; round < 30; round++)
      await ask(key.key, 5, { route: `r${round}`, ip: `192.0.2.${round}` })
    await ask(key.key, 1, { route: 'last', ip: '2001:db8::1', scopes: ['nothing:has-this'] })
    const { requests } = await node.done('GET', `/v1/usage/keys/${key.id}`)
    assert.equal(requests.length, 100)
    assert.deepEqual(requests[0], {
      at: node.clock.at(0),
      route: 'last',
      address: '2001:db8::1',
      result: 'insufficient_scope',
    })
  })

  it('says which scopes a key has and never used', async () => {
    const key = await issueKey(node, api, { scopes: ['orders:read', 'orders:write'] })
    await ask(key.key, 1, { scopes: ['orders:read'] })
    await ask(key.key, 1, { scopes: ['orders:write', 'nothing:has-this'] })
    const { scopes } = await node.done('GET', `/v1/usage/keys/${key.id}`)
    assert.deepEqual(scopes, [
      { scope: 'orders:read', last_used_at: node.clock.at(0) },
      { scope: 'orders:write', last_used_at: null },
    ])
  })

  it("tells of a first use from a new network, but not of a key's very first", async () => {
    const key = await issueKey(node, api)
    const events = async () => {
      await node.deployment.usage.flush()
      await new Promise((resolve) => setTimeout(resolve, 1_100))
      const page = await node.done('GET', `/v1/activity?kind=new_network&credential=${key.id}`)
      return page.data.map((one: Json) => one.network)
    }
    await ask(key.key, 2, { ip: '192.0.2.1' })
    assert.deepEqual(await events(), [])
    await ask(key.key, 2, { ip: '192.0.2.99' })
    await ask(key.key, 2, { ip: '198.51.100.1' })
    await events()
    assert.deepEqual(await events(), ['198.51.100.0/24'])
  })

  it('lists keys that nobody uses, and old ones that are still used after their rotation', async () => {
    const own = await fresh()
    const other = await openNode(own)
    const resource = await newResource(other)
    const [used, unused, rotated] = [
      await issueKey(other, resource),
      await issueKey(other, resource),
      await issueKey(other, resource),
    ]
    other.clock.advance(100 * 86_400_000)
    await verdict(other, used.key)
    await other.done('POST', `/v1/keys/${rotated.id}/rotate`, { overlap_seconds: 86_400 })
    other.clock.advance(1_000)
    const inUse = async (): Promise<Json[]> => (await other.done('GET', '/v1/usage/rotated-keys')).data
    assert.deepEqual(await inUse(), [])
    assert.equal(await verdict(other, rotated.key), 'valid')
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    assert.deepEqual(
      (await inUse()).map((one) => one.id),
      [rotated.id],
    )
    const { data } = await other.done('GET', '/v1/usage/unused-keys')
    assert.deepEqual(
      data.map((one: Json) => one.id).filter((id: string) => [used.id, unused.id, rotated.id].includes(id)),
      [unused.id],
    )
    await other.close()
  })

  it("shows an owner their own keys' requests, and no others", async () => {
    const owner = `owner ${unique()}`
    const [mine, second, foreign] = [
      await issueKey(node, api, { owner }),
      await issueKey(node, api, { owner }),
      await issueKey(node, api, { owner: 'somebody else' }),
    ]
    const tenant = await newTenant(node)
    const namesake = await issueKey(node, api, { owner, tenant: tenant.id })
    await ask(second.key, 1, { route: 'mine too' })
    const read = (id: string, key: string | null) => node.request('GET', `/v1/me/keys/${id}/usage`, { key })
    const { body } = await read(second.id, mine.key)
    assert.equal(body.requests[0].route, 'mine too')
    assert.equal((await read(foreign.id, mine.key)).status, 404)
    assert.equal((await read(namesake.id, mine.key)).status, 404)
    assert.equal((await read(mine.id, 'no key')).status, 401)
    assert.equal((await read(mine.id, null)).status, 401)
    await node.done('POST', `/v1/keys/${mine.id}/revoke`, {})
    assert.equal((await read(second.id, mine.key)).status, 401)
  })

  it('shows an operator of one tenant, and of one resource, what they reach', async () => {
    const [a, b] = [await newTenant(node), await newTenant(node)]
    const otherApi = await newResource(node)
    const route = `shared ${unique()}`
    for (const tenant of [a, b])
      for (const resource of [api, otherApi])
        await ask((await issueKey(node, resource, { tenant: tenant.id })).key, 1, { route })
    const ofTenant = await newOperator(node, ['usage:read'], { tenant: a.id })
    const ofResource = await newOperator(node, ['usage:read'], { resources: [otherApi.id] })
    const seen = (dimension: string, key: string) =>
      usage(`route=${encodeURIComponent(route)}&group_by=${dimension}`, key)
    assert.deepEqual(await seen('tenant', ofTenant.key), [{ tenant: a.id, count: 2 }])
    assert.deepEqual(await seen('resource', ofResource.key), [{ resource: otherApi.uri, count: 2 }])
  })

  it('takes a report of a verifier once, and nothing of what the verifier does not reach', async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const verifier = await newOperator(node, ['verify'], { tenant: mine.id })
    const [key, foreign] = [
      await issueKey(node, api, { tenant: mine.id, scopes: ['orders:read'] }),
      await issueKey(node, api, { tenant: other.id }),
    ]
    const minute = node.clock.at(0)
    const count = { minute, resource: api.uri, route: 'sdk', result: 'valid', count: 7 }
    const report = {
      id: `report-${unique()}-0123456789`,
      counts: [
        { ...count, credential: key.id, tenant: other.id },
        { ...count, credential: foreign.id, tenant: mine.id },
        { ...count, credential: '', tenant: other.id },
        { ...count, credential: 'key_0000000000000000000000', tenant: mine.id },
      ],
      requests: [
        { at: minute, credential: key.id, route: 'sdk', address: '192.0.2.7', result: 'valid' },
        { at: minute, credential: foreign.id, route: 'sdk', result: 'valid' },
      ],
      scopes: [{ at: minute, credential: key.id, scope: 'orders:read' }],
    }
    const send = () => node.done('POST', '/v1/usage/reports', report, verifier.key)
    assert.deepEqual(await send(), { taken: true, ignored: 3 })
    assert.deepEqual(await send(), { taken: false, ignored: 3 })
    // For whom the key belongs to, whatever the report said.
    assert.deepEqual(await usage(`credential=${key.id}&group_by=tenant`), [{ tenant: mine.id, count: 7 }])
    assert.deepEqual(await usage(`credential=${foreign.id}&group_by=tenant`), [])
    const told = await node.done('GET', `/v1/usage/keys/${key.id}`)
    assert.equal(told.requests[0].address, '192.0.2.7')
    assert.equal(told.scopes[0].last_used_at, minute)
    assert.deepEqual((await node.done('GET', `/v1/usage/keys/${foreign.id}`)).requests, [])
  })

  it('exports as CSV and NDJSON, with nothing that a spreadsheet would run', async () => {
    const key = await issueKey(node, api)
    await ask(key.key, 2, { route: '=HYPERLINK("x"),y' })
    const { text } = await node.request('GET', `/v1/usage?credential=${key.id}&group_by=route&format=csv`)
    assert.equal(text, 'route,count\r\n"\'=HYPERLINK(""x""),y",2\r\n')
    const lines = await node.request('GET', `/v1/usage?credential=${key.id}&group_by=route&format=ndjson`)
    assert.equal(lines.text, '{"route":"=HYPERLINK(\\"x\\"),y","count":2}\n')
  })

  it('refuses groups that there are none of, and times that are the wrong way round', async () => {
    for (const query of [
      'group_by=secret',
      'since=2027-02-01T00:00:00Z&until=2027-01-01T00:00:00Z',
      'limit=0',
    ])
      assert.equal((await node.request('GET', `/v1/usage?${query}`)).status, 400, query)
  })

  it('loses nothing at a clean end', async () => {
    const own = await fresh()
    let other = await openNode(own)
    const { operatorKey } = other
    const key = await issueKey(other, await newResource(other))
    for (let count = 0; count < 25; count++) await verdict(other, key.key)
    await other.close()
    other = await openNode(own, { operatorKey })
    const { data } = await other.done('GET', `/v1/usage?credential=${key.id}&group_by=result`)
    assert.deepEqual(data, [{ result: 'valid', count: 25 }])
    await other.close()
  })
})
