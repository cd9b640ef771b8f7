/** Limits in a deployment: defined over the API, decided by verify, and charged all or nothing. */
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
  unique,
  verdict,
  verify,
} from '../../test/deployment.ts'

onBothDatabases('limits', (fresh) => {
  let node: Node
  let database: TestDatabase
  let api: Json
  before(async () => {
    database = await fresh()
    node = await openNode(database)
    api = await newResource(node)
  })
  after(() => node.close())

  const limit = (on: string, id: string, limits: Json[], more: Json = {}) =>
    node.done('PUT', `/v1/limits/${on}/${encodeURIComponent(id)}`, { limits, ...more })
  const verdicts = async (key: string, howMany: number, more: Record<string, unknown> = {}) => {
    const all = await Promise.all(Array.from({ length: howMany }, () => verdict(node, key, more)))
    return all.filter((one) => one === 'valid').length
  }

  it('admits the burst, refuses with the time to wait, and says what remains', async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [{ type: 'rate', name: 'hourly', limit: 10, window_seconds: 3600, burst: 3 }])
    const first = await verify(node, key.key)
    assert.deepEqual(first.limits, [
      {
        name: 'hourly',
        on: 'key',
        bucket: `key:${key.id}:hourly`,
        type: 'rate',
        enforcement: 'strict',
        limit: 10,
        window_seconds: 3600,
        burst: 3,
        remaining: 2,
        reset_seconds: 360,
      },
    ])
    assert.equal(await verdict(node, key.key), 'valid')
    assert.equal((await verify(node, key.key, { cost: 0 })).limits[0].remaining, 1)
    assert.equal(await verdict(node, key.key), 'valid')
    const refused = await verify(node, key.key)
    assert.equal(refused.code, 'rate_limited')
    assert.ok(refused.retry_after_seconds > 350 && refused.retry_after_seconds <= 360)
    assert.equal(refused.limits[0].remaining, 0)
  })

  it('answers an empty list of limits, and as before, where there are none', async () => {
    const key = await issueKey(node, api)
    const answer = await verify(node, key.key)
    assert.deepEqual(answer.limits, [])
    assert.equal('plan' in answer.principal, false)
  })

  it('charges all limits or none', async () => {
    const owner = `owner ${unique()}`
    const key = await issueKey(node, api, { owner })
    await limit('key', key.id, [{ type: 'rate', name: 'wide', limit: 1, window_seconds: 3600, burst: 100 }])
    await limit('owner', owner, [
      { type: 'rate', name: 'narrow', limit: 1, window_seconds: 3600, burst: 5 },
      { type: 'quota', name: 'daily', limit: 50, period: 'day' },
    ])
    assert.equal(await verdict(node, key.key), 'valid')
    assert.equal(await verdict(node, key.key, { cost: 5 }), 'rate_limited')
    const remaining = async () =>
      Object.fromEntries(
        (await verify(node, key.key, { cost: 0 })).limits.map((one: Json) => [one.name, one.remaining]),
      )
    assert.deepEqual(await remaining(), { wide: 99, narrow: 4, daily: 49 })
    assert.equal(await verdict(node, key.key, { cost: 4 }), 'valid')
    assert.deepEqual(await remaining(), { wide: 95, narrow: 0, daily: 45 })
  })

  it('admits exactly the limit of a burst of parallel requests, of rates and of quotas', async () => {
    const rated = await issueKey(node, api)
    await limit('key', rated.id, [{ type: 'rate', name: 'r', limit: 1, window_seconds: 86_400, burst: 100 }])
    assert.equal(await verdicts(rated.key, 1_000), 100)
    const bounded = await issueKey(node, api)
    await limit('key', bounded.id, [{ type: 'quota', name: 'q', limit: 100, period: 'month' }])
    assert.equal(await verdicts(bounded.key, 1_000), 100)
    const refused = await verify(node, bounded.key)
    assert.equal(refused.code, 'quota_exceeded')
    // From the first of March at noon to the first of April.
    assert.ok(refused.retry_after_seconds > 30 * 86_400 && refused.retry_after_seconds < 31 * 86_400)
  })

  it('fills a quota again when the next day begins, in UTC', async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [{ type: 'quota', name: 'q', limit: 2, period: 'day' }])
    assert.equal(await verdicts(key.key, 3), 2)
    node.clock.advance(12 * 3_600_000 - 1)
    assert.equal(await verdict(node, key.key), 'quota_exceeded')
    node.clock.advance(1)
    assert.equal(await verdicts(key.key, 3), 2)
  })

  it('lets a change of a plan, and of what has it, count from the next request', async () => {
    const key = await issueKey(node, api)
    const name = `plan-${unique()}`
    const plan = await node.done('POST', '/v1/plans', {
      name,
      limits: [{ type: 'rate', name: 'r', limit: 1, window_seconds: 3600, burst: 1 }],
    })
    assert.equal(await verdict(node, key.key), 'valid')
    await limit('key', key.id, [], { plan: name })
    const answer = await verify(node, key.key)
    assert.equal(answer.principal.plan, name)
    assert.equal(await verdict(node, key.key), 'rate_limited')
    await node.done('PATCH', `/v1/plans/${plan.id}`, { limits: [] })
    assert.equal(await verdict(node, key.key), 'valid')
    assert.equal((await node.request('DELETE', `/v1/plans/${plan.id}`)).status, 409)
    await node.done('DELETE', `/v1/limits/key/${key.id}`)
    assert.equal((await verify(node, key.key)).principal.plan, undefined)
    assert.equal((await node.request('DELETE', `/v1/plans/${plan.id}`)).status, 204)
  })

  it("lets a target's own limit take the place of its plan's, and carries the nearest plan", async () => {
    const tenant = await newTenant(node)
    const key = await issueKey(node, api, { tenant: tenant.id })
    const plans = [unique(), unique()].map((word) => `plan-${word}`)
    for (const [index, name] of plans.entries())
      await node.done('POST', '/v1/plans', {
        name,
        limits: [{ type: 'rate', name: 'r', limit: index + 5, window_seconds: 3600 }],
      })
    await limit('tenant', tenant.id, [], { plan: plans[0] })
    assert.equal((await verify(node, key.key)).principal.plan, plans[0])
    await limit('key', key.id, [{ type: 'rate', name: 'r', limit: 50, window_seconds: 3600 }], {
      plan: plans[1],
    })
    const answer = await verify(node, key.key)
    assert.equal(answer.principal.plan, plans[1])
    assert.deepEqual(
      answer.limits.map((one: Json) => [one.on, one.limit]),
      [
        ['key', 50],
        ['tenant', 5],
      ],
    )
  })

  it('charges nothing for what is refused for another reason', async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [{ type: 'rate', name: 'r', limit: 1, window_seconds: 3600, burst: 1 }])
    for (let count = 0; count < 3; count++)
      assert.equal(await verdict(node, key.key, { scopes: ['nothing:has-this'] }), 'insufficient_scope')
    assert.equal(await verdict(node, key.key), 'valid')
  })

  it('refuses what costs more than a bucket ever holds, without a time to wait', async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [{ type: 'rate', name: 'r', limit: 5 }])
    const refused = await verify(node, key.key, { cost: 6 })
    assert.equal(refused.code, 'rate_limited')
    assert.equal(refused.retry_after_seconds, undefined)
  })

  it('refuses negative, absurd and doubled limits, and absurd costs', async () => {
    const key = await issueKey(node, api)
    const put = async (limits: Json) =>
      (await node.request('PUT', `/v1/limits/key/${key.id}`, { body: { limits } })).status
    const rate = { type: 'rate', name: 'r', limit: 5 }
    for (const wrong of [
      { ...rate, limit: -1 },
      { ...rate, limit: 0 },
      { ...rate, limit: 1.5 },
      { ...rate, limit: 1e300 },
      { ...rate, burst: 0 },
      { ...rate, window_seconds: 0 },
      { ...rate, window_seconds: 1e9 },
      { ...rate, name: '' },
      { ...rate, name: 'a:b' },
      { type: 'quota', name: 'q', limit: 5, period: 'year' },
      { type: 'quota', name: 'q', limit: 5, period: 'day', burst: 3 },
    ])
      assert.equal(await put([wrong]), 400, JSON.stringify(wrong))
    assert.equal(await put([rate, rate]), 400)
    assert.equal(await put(Array.from({ length: 9 }, (_, index) => ({ ...rate, name: `r${index}` }))), 400)
    for (const cost of [-1, 1.5, 1e9])
      assert.equal(
        (await node.request('POST', '/v1/verify', { body: { credential: key.key, cost } })).status,
        400,
      )
  })

  it("shows an operator of one tenant its own, and lets it change neither its tenant's nor another's", async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const operator = await newOperator(node, ['limits:read', 'limits:write'], { tenant: mine.id })
    const [key, foreign] = [
      await issueKey(node, api, { tenant: mine.id }),
      await issueKey(node, api, { tenant: other.id }),
    ]
    const ask = async (method: 'GET' | 'PUT' | 'DELETE', path: string) =>
      (
        await node.request(method, path, {
          key: operator.key,
          ...(method === 'PUT' && { body: { limits: [] } }),
        })
      ).status
    assert.equal(await ask('PUT', `/v1/limits/key/${key.id}`), 200)
    assert.equal(await ask('GET', `/v1/limits/key/${key.id}`), 200)
    assert.equal(await ask('PUT', `/v1/limits/owner/someone`), 200)
    assert.equal(await ask('PUT', `/v1/limits/owner/usr_0000000000000000000000`), 403)
    await limit('key', foreign.id, [])
    await limit('tenant', mine.id, [])
    for (const method of ['GET', 'PUT', 'DELETE'] as const)
      assert.equal(await ask(method, `/v1/limits/key/${foreign.id}`), 404, method)
    assert.equal(await ask('PUT', `/v1/limits/tenant/${mine.id}`), 403)
    assert.equal(await ask('DELETE', `/v1/limits/tenant/${mine.id}`), 403)
    assert.equal(await ask('PUT', `/v1/limits/tenant/${other.id}`), 404)
    const { body } = await node.request('GET', '/v1/limits', { key: operator.key })
    assert.ok(body.data.length >= 3)
    assert.ok(body.data.every((one: Json) => one.tenant === mine.id))
  })

  it('lists what has limits page by page, by kind and by plan', async () => {
    const name = `plan-${unique()}`
    await node.done('POST', '/v1/plans', { name, limits: [] })
    const owners = Array.from({ length: 5 }, () => `owner ${unique()}`)
    for (const owner of owners) await limit('owner', owner, [], { plan: name })
    const found: string[] = []
    let cursor = ''
    do {
      const page = await node.done('GET', `/v1/limits?on=owner&plan=${name}&limit=2${cursor}`)
      found.push(...page.data.map((one: Json) => one.id))
      cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`
    } while (cursor !== '')
    assert.deepEqual(found, owners)
  })

  it("lets a key's successor go on with the limits and the buckets of the key", async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [
      { type: 'rate', name: 'r', limit: 1, window_seconds: 86_400, burst: 10 },
      { type: 'quota', name: 'q', limit: 100, period: 'month' },
    ])
    assert.equal(await verdict(node, key.key, { cost: 3 }), 'valid')
    let last = key
    for (let round = 0; round < 2; round++)
      last = (await node.done('POST', `/v1/keys/${last.id}/rotate`, { overlap_seconds: 3600 })).key
    const left = (await verify(node, last.key)).limits.map((one: Json) => one.remaining)
    assert.deepEqual(left, [6, 96])
    // The old key, while it lasts, spends the same.
    assert.equal(await verdict(node, key.key, { cost: 6 }), 'valid')
    assert.equal(await verdict(node, last.key), 'rate_limited')
  })

  it("tells the verifiers of every tenant of a user's limits, which are the deployment's", async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const verifier = await newOperator(node, ['verify'], { tenant: other.id })
    const user = 'usr_0000000000000000000001'
    await node.done('PUT', `/v1/limits/owner/${user}?tenant=${mine.id}`, {
      limits: [{ type: 'rate', name: 'r', limit: 1, window_seconds: 60 }],
    })
    const { rows } = await node.done('GET', '/v1/feed/snapshot', undefined, verifier.key)
    const about = rows.find(({ kind, key }: Json) => kind === 'subject' && key === user)
    assert.equal(about?.effect, 'changed')
  })

  it('takes no word of a verifier for a strict limit', async () => {
    const key = await issueKey(node, api)
    await limit('key', key.id, [{ type: 'rate', name: 'r', limit: 1, window_seconds: 3600, burst: 1 }])
    const reserved = [`key:${key.id}:r`]
    assert.equal(await verdict(node, key.key, { reserved }), 'valid')
    assert.equal(await verdict(node, key.key, { reserved }), 'rate_limited')
  })

  it('keeps the levels over a clean restart, and starts empty after an unclean one', async () => {
    const own = await fresh()
    let second = await openNode(own)
    const { operatorKey } = second
    const resource = await newResource(second)
    const key = await issueKey(second, resource)
    await second.done('PUT', `/v1/limits/key/${key.id}`, {
      limits: [{ type: 'rate', name: 'r', limit: 1, window_seconds: 86_400, burst: 5 }],
    })
    await verdict(second, key.key, { cost: 2 })
    await second.close()
    second = await openNode(own, { operatorKey })
    assert.equal((await verify(second, key.key)).limits[0].remaining, 2)
    // Killed: it opens again while nothing was left behind.
    const third = await openNode(own, { operatorKey })
    const answer = await verify(third, key.key)
    assert.equal(answer.code, 'rate_limited')
    assert.equal(answer.limits[0].remaining, 0)
    await third.close()
    await second.close()
  })

  it('never admits more of a quota than the whole, over crashes and in two processes', async () => {
    const own = await fresh()
    const nodes = [await openNode(own)] as Node[]
    const { operatorKey } = nodes[0] as Node
    const resource = await newResource(nodes[0] as Node)
    const key = await issueKey(nodes[0] as Node, resource)
    await (nodes[0] as Node).done('PUT', `/v1/limits/key/${key.id}`, {
      limits: [{ type: 'quota', name: 'q', limit: 300, period: 'day' }],
    })
    let admitted = 0
    for (let round = 0; round < 4; round++) {
      nodes.push(await openNode(own, { operatorKey }))
      const [a, b] = nodes.slice(-2) as [Node, Node]
      const answers = await Promise.all(
        Array.from({ length: 120 }, (_, index) => verdict(index % 3 === 0 ? a : b, key.key)),
      )
      admitted += answers.filter((one) => one === 'valid').length
    }
    assert.ok(admitted <= 300, `${admitted} of 300`)
    assert.ok(admitted >= 200, `${admitted} of 300`)
    for (const one of nodes) await one.close()
  })
})
