/** Webhooks out: told once it has happened, signed, tried again, sent by one node, and nobody is told of others' events. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { after, before, it } from 'node:test'
import { Webhook } from 'standardwebhooks'
import { onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
} from '../../test/deployment.ts'
import { type Received, type Receiver, startReceiver } from '../../test/webhooks/receiver.ts'
import { retryAfterMs } from './endpoint.ts'

const DAY = 86_400_000

onBothDatabases('webhooks', (fresh) => {
  let node: Node
  let receiver: Receiver
  let resource: Json
  before(async () => {
    receiver = await startReceiver()
    node = await openNode(await fresh(), { env: { POSTERN_ISSUER: 'http://localhost:4800' } })
    resource = await newResource(node)
  })
  after(async () => {
    await node.close()
    await receiver.close()
  })

  let count = 0
  const register = async (more: Record<string, unknown> = {}, key?: string): Promise<Json> => {
    const path = `/hook-${count++}`
    return { path, ...(await node.done('POST', '/v1/webhooks', { url: receiver.url + path, ...more }, key)) }
  }
  const remove = (hook: Json) => node.done('DELETE', `/v1/webhooks/${hook.id}`)
  const settle = () => node.deployment.webhooks.dispatcher.settle()
  const sentTo = (hook: Json): Received[] => receiver.received.filter(({ path }) => path === hook.path)
  const toldTo = (hook: Json): Json[] => sentTo(hook).map(({ body }) => JSON.parse(body))
  const read = (hook: Json): Promise<Json> => node.done('GET', `/v1/webhooks/${hook.id}`)
  const deliveries = async (hook: Json): Promise<Json[]> =>
    (await node.done('GET', `/v1/webhooks/${hook.id}/deliveries`)).data
  // Signatures carry the node's time, which stands where the test puts it.
  const verifies = (secret: string, { body, headers }: Received): boolean => {
    const at = new Date(Number(headers['webhook-timestamp']) * 1_000)
    const signed = new Webhook(secret).sign(String(headers['webhook-id']), at, body)
    return String(headers['webhook-signature']).split(' ').includes(signed)
  }

  it('tells of a key issued, rotated, disabled, leaked and revoked, signed as Standard Webhooks has it', async () => {
    const hook = await register()
    const key = await issueKey(node, resource, { owner: 'acme' })
    await node.done('POST', `/v1/keys/${key.id}/disable`)
    await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    await node.done('POST', '/v1/leaks', { reports: [{ token: key.key, url: 'https://paste.example/1' }] })
    await settle()
    const told = toldTo(hook)
    assert.deepEqual(told.map(({ type }) => type).sort(), [
      'api_key.disabled',
      'api_key.issued',
      'api_key.leaked',
      'api_key.revoked',
      'api_key.rotated',
    ])
    const leaked = told.find(({ type }) => type === 'api_key.leaked')
    assert.equal(leaked.data.api_key, key.id)
    assert.equal(leaked.data.owner, 'acme')
    assert.equal(leaked.data.tenant, key.tenant)
    assert.equal(leaked.data.action, 'revoked')
    assert.equal(leaked.data.url, 'https://paste.example/1')
    assert.match(leaked.timestamp, /^\d{4}-.*Z$/)
    for (const received of sentTo(hook)) {
      assert.ok(verifies(hook.secret, received))
      assert.ok(!received.body.includes(key.key))
    }
    assert.equal(new Set(sentTo(hook).map(({ headers }) => headers['webhook-id'])).size, 5)
    await remove(hook)
  })

  it('tells an endpoint the types that it asked for, and nothing once it is disabled or deleted', async () => {
    const hook = await register({ events: ['api_key.revoked'] })
    const key = await issueKey(node, resource)
    await node.done('POST', `/v1/keys/${key.id}/revoke`, {})
    await settle()
    assert.deepEqual(
      toldTo(hook).map(({ type }) => type),
      ['api_key.revoked'],
    )
    await node.done('PATCH', `/v1/webhooks/${hook.id}`, { disabled: true })
    const other = await issueKey(node, resource)
    await node.done('POST', `/v1/keys/${other.id}/revoke`, {})
    await settle()
    assert.equal(sentTo(hook).length, 1)
    await remove(hook)
    assert.equal((await node.request('GET', `/v1/webhooks/${hook.id}`)).status, 404)
  })

  it('tells of no change that did not happen', async () => {
    const hook = await register()
    const { status } = await node.request('POST', '/v1/keys', {
      body: { name: 'k', owner: 'o', resource: resource.uri, scopes: ['no:such'] },
    })
    assert.equal(status, 400)
    await settle()
    assert.deepEqual(sentTo(hook), [])
    await remove(hook)
  })

  it('tells tenants their own events only, and the deployment all', async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const operator = await newOperator(node, ['webhooks:read', 'webhooks:write'], { tenant: mine.id })
    const [own, all] = [await register({}, operator.key), await register()]
    assert.equal(own.tenant, mine.id)
    assert.equal(all.tenant, null)
    // At once, so that one group of transactions tells of both.
    await Promise.all([mine, other].map(({ id }) => issueKey(node, resource, { tenant: id })))
    await settle()
    assert.deepEqual(
      toldTo(own).map(({ data }) => data.tenant),
      [mine.id],
    )
    assert.equal(toldTo(all).length, 2)

    const as = (method: 'GET' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
      node.request(method, path, { key: operator.key, body })
    assert.deepEqual(
      (await as('GET', '/v1/webhooks')).body.data.map(({ id }: Json) => id),
      [own.id],
    )
    for (const [method, path, body] of [
      ['GET', `/v1/webhooks/${all.id}`],
      ['GET', `/v1/webhooks/${all.id}/deliveries`],
      ['PATCH', `/v1/webhooks/${all.id}`, { name: 'mine' }],
      ['DELETE', `/v1/webhooks/${all.id}`],
    ] as const)
      assert.equal((await as(method, path, body)).status, 404, `${method} ${path}`)
    const foreign = { url: receiver.url, tenant: other.id }
    assert.equal(
      (await node.request('POST', '/v1/webhooks', { key: operator.key, body: foreign })).status,
      404,
    )
    const confined = await newOperator(node, ['webhooks:write'], { resources: [resource.id] })
    const answer = await node.request('POST', '/v1/webhooks', {
      key: confined.key,
      body: { url: receiver.url },
    })
    assert.equal(answer.status, 403)
    await remove(own)
    await remove(all)
  })

  it('tries again with the same id after a failure, an answer that is none, and a redirect, until it is taken', async () => {
    const hook = await register()
    const answers = [500, 302, 0, 204]
    receiver.answer = (response, { path }) => {
      const status = path === hook.path ? answers.shift() : 200
      if (status === 0) response.destroy()
      else
        response.writeHead(status ?? 200, { location: `${receiver.url}/elsewhere` }).end('x'.repeat(100_000))
    }
    await issueKey(node, resource)
    await settle()
    assert.equal(sentTo(hook).length, 1)
    const [waiting] = await deliveries(hook)
    assert.deepEqual(
      [waiting.state, waiting.last_status, waiting.last_error],
      ['pending', 500, 'answered 500'],
    )
    assert.ok((await read(hook)).failing_since)
    for (let attempt = 2; attempt <= 4; attempt++) {
      node.clock.advance(200_000)
      await settle()
      assert.equal(sentTo(hook).length, attempt)
    }
    receiver.answer = (response) => response.writeHead(200).end()
    const [delivered] = await deliveries(hook)
    assert.deepEqual([delivered.state, delivered.attempts, delivered.last_status], ['delivered', 4, 204])
    assert.equal((await read(hook)).failing_since, null)
    assert.equal(new Set(sentTo(hook).map(({ headers }) => headers['webhook-id'])).size, 1)
    assert.equal(new Set(sentTo(hook).map(({ headers }) => headers['webhook-timestamp'])).size, 4)
    assert.ok(!receiver.received.some(({ path }) => path === '/elsewhere'))
    await remove(hook)
  })

  it('gives up after about a day, and sends again when it is told to', async () => {
    const hook = await register()
    receiver.answer = (response) => response.writeHead(503).end()
    await issueKey(node, resource)
    for (let attempt = 1; attempt <= 12; attempt++) {
      await settle()
      node.clock.advance(DAY / 1.6)
      // Disabled for failing so long is another matter.
      await node.done('PATCH', `/v1/webhooks/${hook.id}`, { disabled: false })
    }
    const [failed] = await deliveries(hook)
    assert.deepEqual([failed.state, failed.attempts], ['failed', 11])
    receiver.answer = (response) => response.writeHead(200).end()
    await settle()
    assert.equal(sentTo(hook).length, 11)
    assert.deepEqual(await node.done('POST', `/v1/webhooks/${hook.id}/replay`, {}), { replayed: 1 })
    await settle()
    assert.equal((await deliveries(hook))[0].state, 'delivered')
    const ids = new Set(sentTo(hook).map(({ headers }) => headers['webhook-id']))
    assert.equal(ids.size, 1)
    assert.deepEqual(await node.done('POST', `/v1/webhooks/${hook.id}/replay`, {}), { replayed: 0 })
    assert.deepEqual(await node.done('POST', `/v1/webhooks/${hook.id}/replay`, { delivery: failed.id }), {
      replayed: 1,
    })
    await settle()
    assert.equal(sentTo(hook).length, 13)
    await remove(hook)
  })

  it('is disabled after three days of failures, or at once by 410, and others are told', async () => {
    const witness = await register({ events: ['webhook.disabled'] })
    const [failing, gone] = [await register(), await register()]
    receiver.answer = (response, { path }) =>
      response.writeHead(path === failing.path ? 500 : path === gone.path ? 410 : 200).end()
    await issueKey(node, resource)
    await settle()
    assert.equal((await read(gone)).disabled_reason, 'it answered 410 Gone')
    for (let day = 0; day < 4; day++) {
      await issueKey(node, resource)
      node.clock.advance(DAY)
      await settle()
    }
    const disabled = await read(failing)
    assert.deepEqual([disabled.disabled, disabled.disabled_reason], [true, 'it has failed for three days'])
    await settle()
    assert.deepEqual(
      toldTo(witness)
        .map(({ data }) => data.webhook)
        .sort(),
      [failing.id, gone.id].sort(),
    )
    const { data: events } = await node.done('GET', `/v1/audit?action=webhook.disabled&target=${failing.id}`)
    assert.equal(events.length, 1)
    receiver.answer = (response) => response.writeHead(200).end()
    const before = sentTo(failing).length
    await node.done('PATCH', `/v1/webhooks/${failing.id}`, { disabled: false })
    await settle()
    assert.ok(sentTo(failing).length > before, 'what waited goes out')
    for (const hook of [witness, failing, gone]) await remove(hook)
  })

  it('holds up nobody by an endpoint that hangs', async () => {
    const [hanging, quick] = [await register(), await register()]
    const held: (() => void)[] = []
    receiver.answer = (response, { path }) => {
      if (path === hanging.path) held.push(() => response.writeHead(200).end())
      else response.writeHead(200).end()
    }
    for (let key = 0; key < 12; key++) await issueKey(node, resource)
    const { dispatcher } = node.deployment.webhooks
    const waiting = setInterval(() => void dispatcher.look(), 20)
    await eventually('the other has everything', async () => sentTo(quick).length === 12, 8_000)
    assert.equal(held.length, 4, 'it takes up its own places and no more')
    receiver.answer = (response) => response.writeHead(200).end()
    for (const release of held) release()
    await eventually('the rest arrives', async () => sentTo(hanging).length === 12, 8_000)
    clearInterval(waiting)
    await settle()
    await remove(hanging)
    await remove(quick)
  })

  it('is sent by one of several nodes, and by another when the first one dies with it', async () => {
    const hook = await register()
    const second = await node.secondNode()
    for (let key = 0; key < 20; key++) await issueKey(node, resource)
    await Promise.all([settle(), second.deployment.webhooks.dispatcher.settle()])
    assert.equal(sentTo(hook).length, 20)
    assert.equal(new Set(sentTo(hook).map(({ headers }) => headers['webhook-id'])).size, 20)

    // A node that hangs as long as it likes: its lease runs out.
    let hanging: ServerResponse | undefined
    receiver.answer = (response) => (hanging = response)
    await issueKey(node, resource)
    await node.deployment.webhooks.dispatcher.look()
    await eventually('it is under way', async () => sentTo(hook).length === 21, 5_000)
    await second.deployment.webhooks.dispatcher.look()
    assert.equal(sentTo(hook).length, 21)
    receiver.answer = (response) => response.writeHead(200).end()
    node.clock.advance(61_000)
    await second.deployment.webhooks.dispatcher.settle()
    assert.equal(sentTo(hook).length, 22)
    hanging?.destroy()
    await settle()
    assert.equal(sentTo(hook).length, 22, 'a lease that ran out decides nothing')
    assert.equal(
      (await deliveries(hook)).every(({ state }) => state === 'delivered'),
      true,
    )
    await second.close()
    await remove(hook)
  })

  it('signs with both secrets during a rotation, and with the new one after it', async () => {
    const hook = await register()
    const rotated = await node.done('POST', `/v1/webhooks/${hook.id}/secrets`, { overlap_seconds: 3_600 })
    assert.notEqual(rotated.secret, hook.secret)
    assert.equal(rotated.secrets.length, 2)
    await node.done('POST', `/v1/webhooks/${hook.id}/test`)
    await settle()
    const [both] = sentTo(hook)
    assert.ok(both && verifies(hook.secret, both) && verifies(rotated.secret, both))
    node.clock.advance(3_700_000)
    await node.done('POST', `/v1/webhooks/${hook.id}/test`)
    await settle()
    const one = sentTo(hook).at(-1)
    assert.ok(one && !verifies(hook.secret, one) && verifies(rotated.secret, one))
    assert.ok(!JSON.stringify(await read(hook)).includes('whsec_'))
    await remove(hook)
  })

  it('drops what comes beyond the bound of a queue, and says how much', async () => {
    const hook = await register()
    await node.done('PATCH', `/v1/webhooks/${hook.id}`, { disabled: true })
    const { storage } = node.deployment
    const { insertDeliveries } = await import('./store.ts')
    await storage.write(async (tx) =>
      insertDeliveries(
        tx.over(),
        Array.from({ length: 9_999 }, (_, index) => ({
          id: `dlv_${String(index).padStart(22, '0')}`,
          endpointId: hook.id,
          eventId: `evt_${String(index).padStart(22, '0')}`,
          type: 'webhook.test',
          payload: '{}',
          createdAtMs: node.clock.nowMs(),
          state: 'pending' as const,
          attempts: 0,
          nextAtMs: node.clock.nowMs() + DAY,
          lastAtMs: null,
          lastStatus: null,
          lastError: null,
        })),
      ),
    )
    await node.done('PATCH', `/v1/webhooks/${hook.id}`, { disabled: false })
    for (let key = 0; key < 4; key++) await issueKey(node, resource)
    assert.equal((await read(hook)).dropped, 3)
    await remove(hook)
  })

  it('goes to no private address that was not opened, whatever its name', async () => {
    const of = (url: string) => node.request('POST', '/v1/webhooks', { body: { url } })
    for (const url of [
      'ftp://x.example/',
      'not a url',
      'https://a:b@x.example/',
      'http://[',
      'https://x.example/#a',
    ])
      assert.equal((await of(url)).status, 400, url)
    for (const url of [
      'https://10.0.0.1/',
      'https://169.254.169.254/latest',
      'http://192.168.0.1/',
      'https://[fd00::1]/',
    ]) {
      const hook = (await of(url)).body
      await node.done('POST', `/v1/webhooks/${hook.id}/test`)
      await settle()
      const [delivery] = await deliveries(hook)
      assert.match(delivery.last_error, /may not be reached/, url)
      await remove(hook)
    }
  })

  it('takes the deployment alone to a network that was opened, over plain http, and no tenant', async () => {
    const opened = await openNode(await fresh(), { env: { POSTERN_WEBHOOK_NETWORKS: '127.0.0.0/8' } })
    const tenant = await newTenant(opened)
    const own = await opened.done('POST', '/v1/webhooks', { url: `${receiver.url}/own` })
    await opened.done('POST', `/v1/webhooks/${own.id}/test`)
    await opened.deployment.webhooks.dispatcher.settle()
    assert.equal(sentTo({ path: '/own' }).length, 1)
    const of = (url: string) => opened.request('POST', '/v1/webhooks', { body: { url, tenant: tenant.id } })
    assert.equal((await of(receiver.url)).status, 400)
    const { body: hook } = await of(receiver.url.replace('http:', 'https:'))
    await opened.done('POST', `/v1/webhooks/${hook.id}/test`)
    await opened.deployment.webhooks.dispatcher.settle()
    const { data } = await opened.done('GET', `/v1/webhooks/${hook.id}/deliveries`)
    assert.match(data[0].last_error, /may not be reached/)
    await opened.close()
  })

  it('keeps the log for two weeks', async () => {
    const hook = await register()
    await issueKey(node, resource)
    await settle()
    node.clock.advance(13 * DAY)
    await node.deployment.webhooks.tend()
    assert.equal((await deliveries(hook)).length, 1)
    node.clock.advance(2 * DAY)
    await node.deployment.webhooks.tend()
    assert.deepEqual(await deliveries(hook), [])
    await remove(hook)
  })
})

it('waits longer from attempt to attempt, for more than a day in all', () => {
  const waits = Array.from({ length: 10 }, (_, index) => retryAfterMs(index + 1, 0.5) as number)
  assert.deepEqual(
    waits,
    [...waits].sort((a, b) => a - b),
  )
  const hours = waits.reduce((sum, wait) => sum + wait, 0) / 3_600_000
  assert.ok(hours > 24 && hours < 36, `${hours} h`)
  assert.equal(retryAfterMs(11, 0.5), undefined)
  assert.ok((retryAfterMs(1, 0) as number) < (retryAfterMs(1, 1) as number))
})
