/** Rotation: keys that replace themselves within bounds, and what is due is told once and listed. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { onBothDatabases } from '../../test/databases.ts'
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
} from '../../test/deployment.ts'
import { type Receiver, startReceiver } from '../../test/webhooks/receiver.ts'
import { warnOfRotation } from './index.ts'
import { rotateSelf as replaceItself } from './rotate-self.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

onBothDatabases('rotation', (fresh) => {
  let node: Node
  let receiver: Receiver
  before(async () => {
    receiver = await startReceiver()
    node = await openNode(await fresh(), {
      env: { POSTERN_ISSUER: 'http://localhost:4800', POSTERN_WEBHOOK_SECRET_MAX_AGE_DAYS: '60' },
    })
  })
  after(async () => {
    await node.close()
    await receiver.close()
  })

  const rotateSelf = (key: string | null, more: Json = {}, idempotencyKey: string | undefined = unique()) =>
    node.request('POST', '/v1/keys/self/rotate', {
      key,
      body: more,
      headers: idempotencyKey === '' ? {} : { 'idempotency-key': idempotencyKey },
    })
  const renewing = (more: Json = {}): Promise<Json> => newResource(node, { self_rotation: 'renew', ...more })
  const oldKey = async (resource: Json, more: Json = {}): Promise<Json> => {
    const key = await issueKey(node, resource, more)
    node.clock.advance(2 * HOUR)
    return key
  }

  it('gives a key its successor, by the key itself, with an overlap and the same rights', async () => {
    const key = await oldKey(await renewing(), { ip_allow: ['127.0.0.1'], metadata: { plan: 'gold' } })
    const { status, body } = await rotateSelf(key.key, { overlap_seconds: 600 })
    assert.equal(status, 201)
    assert.deepEqual(
      [body.key.owner, body.key.scopes, body.key.ip_allow, body.key.metadata, body.key.tenant],
      [key.owner, key.scopes, key.ip_allow, key.metadata, key.tenant],
    )
    assert.equal(body.old.expires_at, node.clock.at(600_000))
    assert.equal(await verdict(node, body.key.key, { ip: '127.0.0.1' }), 'valid')
    assert.equal(await verdict(node, key.key, { ip: '127.0.0.1' }), 'valid')
    node.clock.advance(601_000)
    assert.equal(await verdict(node, key.key, { ip: '127.0.0.1' }), 'expired')
    const { data: events } = await node.done('GET', `/v1/audit?target=${key.id}&action=api_key.rotated`)
    assert.deepEqual(events[0].actor, { type: 'key', id: key.id })
  })

  it('answers the same key to the same Idempotency-Key, and makes one of many at once', async () => {
    const key = await oldKey(await renewing())
    const first = await rotateSelf(key.key, {}, 'instance')
    const again = await rotateSelf(key.key, {}, 'instance')
    assert.equal(again.status, 201)
    assert.equal(again.body.key.key, first.body.key.key)
    const other = await rotateSelf(key.key, {}, 'another')
    assert.deepEqual([other.status, other.body.code], [409, 'conflict'])

    const shared = await oldKey(await renewing())
    const answers = await Promise.all(Array.from({ length: 8 }, () => rotateSelf(shared.key)))
    assert.deepEqual(answers.map(({ status }) => status).sort(), [
      201,
      ...Array.from({ length: 7 }, () => 409),
    ])
    assert.equal((await rotateSelf(shared.key, {}, '')).status, 400, 'a lost answer would be a lost key')
  })

  it('does so only where the API allows it, and ends the successor when the old one would have ended', async () => {
    const off = await oldKey(await newResource(node))
    assert.deepEqual(
      [(await rotateSelf(off.key)).status, (await rotateSelf(off.key)).body.code],
      [403, 'forbidden'],
    )
    const bounded = await oldKey(await newResource(node, { self_rotation: 'same_end' }), {
      expires_at: node.clock.at(30 * DAY),
    })
    const { body } = await rotateSelf(bounded.key)
    assert.equal(body.key.expires_at, bounded.expires_at)
    const renewed = await oldKey(await renewing(), { expires_at: node.clock.at(30 * DAY) })
    const answer = await rotateSelf(renewed.key)
    assert.equal(answer.body.key.expires_at, node.clock.at(30 * DAY))
  })

  it('refuses a young key, one that was reported as leaked, one that is not good, and what is no key of an API', async () => {
    const resource = await renewing({ leak_policy: 'tell' })
    const young = await issueKey(node, resource)
    assert.deepEqual([(await rotateSelf(young.key)).status], [409])
    const leaked = await oldKey(resource)
    await node.done('POST', '/v1/leaks', { reports: [{ token: leaked.key }] })
    assert.equal(await verdict(node, leaked.key), 'valid')
    assert.equal((await rotateSelf(leaked.key)).status, 403)
    const revoked = await oldKey(resource)
    await node.done('POST', `/v1/keys/${revoked.id}/revoke`, {})
    assert.deepEqual(
      [(await rotateSelf(revoked.key)).body.code, (await rotateSelf(null)).body.code],
      ['revoked', 'missing'],
    )
    assert.equal((await rotateSelf(node.operatorKey)).body.code, 'unsupported')
    const elsewhere = await oldKey(resource, { ip_allow: ['192.0.2.1'] })
    assert.equal((await rotateSelf(elsewhere.key)).body.code, 'ip_not_allowed')
    const query = await node.request('POST', `/v1/keys/self/rotate?key=${young.key}`, {
      key: young.key,
      body: {},
    })
    assert.equal(query.body.code, 'exposed_in_url')
    const short = await oldKey(resource)
    assert.equal((await rotateSelf(short.key, { overlap_seconds: 0 })).status, 400)
  })

  it('ends with a leaked key all that it made of itself, but not what an operator made of it', async () => {
    const resource = await renewing()
    const stolen = await oldKey(resource)
    const first = (await rotateSelf(stolen.key)).body.key
    node.clock.advance(2 * HOUR)
    const second = (await rotateSelf(first.key)).body.key
    const replaced = await oldKey(resource)
    const { key: given } = await node.done('POST', `/v1/keys/${replaced.id}/rotate`, {})
    await node.done('POST', '/v1/leaks', { reports: [{ token: stolen.key }, { token: replaced.key }] })
    for (const key of [stolen, first, second, replaced]) assert.equal(await verdict(node, key.key), 'revoked')
    assert.equal(await verdict(node, given.key), 'valid')
  })

  it('gives a key no life beyond what ends its owner, whichever comes first', async () => {
    const resource = await renewing()
    const key = await oldKey(resource, { owner: 'leaving' })
    const { body } = await rotateSelf(key.key)
    const target = { kind: 'subject', id: 'leaving', tenant: key.tenant }
    await node.done('POST', '/v1/revocations', { targets: [target] })
    assert.equal(await verdict(node, body.key.key), 'revoked')
    assert.equal((await rotateSelf(body.key.key)).body.code, 'revoked')

    // The level comes while the key is asking: its successor is older than it.
    const racing = await oldKey(resource, { owner: 'racing' })
    const { storage, context } = node.deployment
    await node.done('POST', '/v1/revocations', { targets: [{ ...target, id: 'racing' }] })
    const { issued } = await storage.write((tx) =>
      replaceItself(tx, context, { keyId: racing.id, network: '127.0.0.0/24' }, undefined),
    )
    assert.equal(await verdict(node, issued.key), 'revoked')
  })

  const listed = async (query = '', key?: string): Promise<Json[]> =>
    (await node.done('GET', `/v1/rotation${query}`, undefined, key)).data
  const stateOf = async ({ id }: Json): Promise<string | undefined> =>
    (await listed()).find((aging) => aging.id === id)?.state

  it('lists a key before and after its greatest age, and not once it has a successor', async () => {
    const resource = await newResource(node, {
      key_max_age_seconds: (90 * DAY) / 1000,
      rotation_notice_seconds: (10 * DAY) / 1000,
    })
    const key = await issueKey(node, resource, { expires_at: null })
    assert.equal(await stateOf(key), undefined)
    node.clock.advance(81 * DAY)
    assert.equal(await stateOf(key), 'due')
    node.clock.advance(10 * DAY)
    assert.equal(await stateOf(key), 'overdue')
    assert.equal(await verdict(node, key.key), 'valid', 'it goes on')
    assert.ok((await listed('?state=overdue&kind=api_key')).some(({ id }) => id === key.id))
    assert.ok(!(await listed('?state=due')).some(({ id }) => id === key.id))
    const before = async (at: string): Promise<Json[]> =>
      (await node.done('GET', `/v1/keys?resource=${resource.id}&due_before=${at}`)).data
    assert.deepEqual(
      (await before(node.clock.at(0))).map(({ id }) => id),
      [key.id],
    )
    assert.deepEqual(await before(node.clock.at(-5 * DAY)), [])
    await node.done('POST', `/v1/keys/${key.id}/rotate`, {})
    assert.equal(await stateOf(key), undefined)
  })

  it('lists secrets of clients and of webhooks as well, the newest of each', async () => {
    const resource = await newResource(node, { key_max_age_seconds: (30 * DAY) / 1000 })
    const client = await node.done('POST', '/v1/clients', {
      name: 'a service',
      kind: 'service',
      resources: [{ resource: resource.uri }],
    })
    const hook = await node.done('POST', '/v1/webhooks', { url: receiver.url })
    const of = async (kind: string, holder: string) =>
      (await listed(`?kind=${kind}`)).filter((aging) => aging.holder === holder).map(({ state }) => state)
    assert.deepEqual(await of('client_secret', client.id), [])
    node.clock.advance(31 * DAY)
    assert.deepEqual(await of('client_secret', client.id), ['overdue'])
    await node.done('POST', `/v1/clients/${client.id}/secrets`, {})
    assert.deepEqual(await of('client_secret', client.id), [])
    assert.deepEqual(await of('webhook_secret', hook.id), [])
    node.clock.advance(35 * DAY)
    assert.deepEqual(await of('webhook_secret', hook.id), ['overdue'])
    await node.done('POST', `/v1/webhooks/${hook.id}/secrets`, {})
    assert.deepEqual(await of('webhook_secret', hook.id), [])
    // Nothing tends this node.
    assert.equal((await listed('?kind=signing_key'))[0].state, 'overdue')
    await node.done('DELETE', `/v1/webhooks/${hook.id}`)
  })

  it('tells of each once when it is due and once when it is overdue, its own tenant alone', async () => {
    const tenant = await newTenant(node)
    const hook = await node.done('POST', '/v1/webhooks', { url: `${receiver.url}/mine`, tenant: tenant.id })
    const resource = await newResource(node, { key_max_age_seconds: (30 * DAY) / 1000 })
    const key = await issueKey(node, resource, { tenant: tenant.id, owner: 'acme' })
    await issueKey(node, resource)
    const { webhooks, storage } = node.deployment
    const warn = async (): Promise<Json[]> => {
      receiver.received.length = 0
      await warnOfRotation({
        storage,
        clock: node.clock,
        outbox: webhooks.outbox,
        webhookSecretMaxAgeMs: null,
      })
      await webhooks.dispatcher.settle()
      return receiver.received.filter(({ path }) => path === '/mine').map(({ body }) => JSON.parse(body))
    }
    await warn()
    node.clock.advance(20 * DAY)
    const [due, ...others] = await warn()
    assert.deepEqual(others, [])
    assert.equal(due.type, 'credential.expiring')
    assert.deepEqual(
      [due.data.kind, due.data.credential, due.data.holder, due.data.resource],
      ['api_key', key.id, 'acme', resource.uri],
    )
    assert.deepEqual(await warn(), [])
    node.clock.advance(11 * DAY)
    assert.deepEqual(
      (await warn()).map(({ type }) => type),
      ['credential.overdue'],
    )
    assert.deepEqual(await warn(), [])
    await node.done('DELETE', `/v1/webhooks/${hook.id}`)
  })

  it('keeps tenants and resources apart', async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const resource = await newResource(node, { key_max_age_seconds: 3_600 })
    const keys = [
      await issueKey(node, resource, { tenant: mine.id }),
      await issueKey(node, resource, { tenant: other.id }),
    ]
    node.clock.advance(2 * HOUR)
    const own = await newOperator(node, ['keys:read', 'audit:read'], { tenant: mine.id })
    assert.deepEqual(
      (await listed('?kind=api_key', own.key)).map(({ id }) => id),
      [keys[0].id],
    )
    assert.deepEqual(await listed('?kind=signing_key', own.key), [])
    const elsewhere = await newOperator(node, ['keys:read'], { resources: [(await newResource(node)).id] })
    assert.deepEqual(await listed('', elsewhere.key), [])
    assert.equal((await node.request('GET', '/v1/reports/compliance', { key: own.key })).status, 403)
  })

  it('reports on the whole deployment, with the head of the audit chain', async () => {
    const report = await node.done('GET', '/v1/reports/compliance')
    const head = await node.done('GET', '/v1/audit/head')
    assert.deepEqual(report.audit, { seq: head.seq, hash: head.hash })
    assert.ok(report.keys.active > 0 && report.keys.never_expire >= 0)
    assert.ok(report.rotation.api_key.overdue > 0)
    assert.equal(
      report.listed.filter(({ state }: Json) => state === 'overdue').length,
      Math.min(
        200,
        Object.values(report.rotation as Record<string, Json>).reduce((sum, { overdue }) => sum + overdue, 0),
      ),
    )
  })
})
