/** The feed over HTTP: what a verifier gets, in which order, and when it gets nothing at all. */
import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
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
  unique,
} from '../../test/deployment.ts'
import { follow as followAt, type Following } from '../../test/feed-follower.ts'
import { purgeFeed } from './index.ts'
import { beginEpoch } from './store.ts'

onBothDatabases('the feed over HTTP', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  const addresses = new Map<Node, string>()
  const open: Following[] = []
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
    for (const on of [node, second])
      addresses.set(on, await on.deployment.server.listen({ host: '127.0.0.1', port: 0 }))
  })
  afterEach(() => {
    for (const following of open.splice(0)) following.cut()
  })
  after(() => Promise.all([node.close(), second.close()]))

  const follow = async (on: Node, query = '', key = node.operatorKey): Promise<Following> => {
    const following = await followAt(addresses.get(on) as string, `/v1/feed/stream${query}`, key)
    open.push(following)
    return following
  }
  const live = (following: Following): Promise<unknown> =>
    following.event(({ event }) => event === 'heartbeat')
  const revoke = (on: Node, key: Json): Promise<Json> => on.done('POST', `/v1/keys/${key.id}/revoke`, {})
  const aboutKey = (key: Json) => (one: { event: string; data: Json }) =>
    one.event === 'row' && one.data.key === key.id

  it('gives a snapshot of what is in force, from which the stream goes on', async () => {
    const key = await issueKey(node, api)
    await revoke(node, key)
    const { status, body, headers } = await node.request('GET', '/v1/feed/snapshot')
    assert.equal(status, 200)
    const row = body.rows.find((one: Json) => one.key === key.id)
    assert.deepEqual(row, {
      seq: body.head,
      kind: 'api_key',
      key: key.id,
      effect: 'revoked',
      at: node.clock.nowMs(),
      drop_after: row.drop_after,
    })
    assert.ok(row.drop_after > node.clock.nowMs())
    assert.ok(Number.isInteger(body.age_ms) && body.age_ms <= 1_000)
    assert.equal(body.now, node.clock.nowMs())
    assert.equal(body.issuer, 'https://postern.test')
    assert.deepEqual(
      body.resources.find((one: Json) => one.id === api.id),
      { id: api.id, uri: api.uri, created_at: api.created_at, cache_seconds: api.cache_seconds },
    )
    assert.deepEqual(body.jwks, (await node.done('GET', '/jwks')) as Json)
    const etag = String(headers['etag'])
    const again = await node.request('GET', '/v1/feed/snapshot', { headers: { 'if-none-match': etag } })
    assert.deepEqual([again.status, again.text], [304, ''])

    const other = await issueKey(node, api)
    await revoke(node, other)
    const following = await follow(node, `?after=${body.head}`)
    await live(following)
    assert.deepEqual(
      following.rows().map((one) => one.key),
      [other.id],
    )
    const changed = await node.request('GET', '/v1/feed/snapshot', { headers: { 'if-none-match': etag } })
    assert.equal(changed.status, 200)
  })

  it('pages a long snapshot, and leaves out what is over', async () => {
    const keys = Array.from({ length: 1_500 }, () => unique())
    await node.deployment.storage.write(async (tx) => {
      for (const key of keys)
        node.deployment.context.changes.publish(
          tx,
          { type: 'system', id: 'system' },
          {
            action: 'test.changed',
            tenant: null,
            target: { type: 'test', id: key },
            feed: { kind: 'limit', key, effect: 'changed' },
          },
        )
    })
    const { rows, head } = await node.done('GET', '/v1/feed/snapshot')
    const seqs = rows.map((row: Json) => row.seq)
    assert.deepEqual(
      seqs,
      seqs.toSorted((a: number, b: number) => a - b),
    )
    assert.equal(seqs.at(-1), head)
    const known = new Set(rows.map((row: Json) => row.key))
    assert.ok(keys.every((key) => known.has(key)))
    node.clock.advance(2 * 86_400_000)
    // The text of a moment ago may still have them; they say themselves that they are over.
    const late = await second.done('GET', '/v1/feed/snapshot')
    assert.deepEqual(
      late.rows.filter((row: Json) => row.drop_after <= node.clock.nowMs()),
      [],
    )
  })

  for (const where of ['the same node', 'the other node'])
    it(`tells a stream of a row as soon as ${where} has committed it, and then promises it`, async () => {
      const following = await follow(second)
      await live(following)
      const key = await issueKey(node, api)
      await revoke(where === 'the same node' ? second : node, key)
      const row = await following.event(aboutKey(key))
      assert.equal(row.id, String(row.data.seq))
      assert.deepEqual(Object.keys(row.data), ['seq', 'epoch', 'kind', 'key', 'effect', 'at', 'drop_after'])
      const beat = await following.event(
        ({ event, data }) => event === 'heartbeat' && data.head >= row.data.seq,
      )
      assert.ok(following.events.indexOf(row) < following.events.indexOf(beat))
      assert.equal(beat.data.epoch, row.data.epoch)
      assert.ok(beat.data.age_ms <= 1_000 && beat.data.stream_ms >= 0)
    })

  it('hands every row to streams that come and go while it is written, once and in order', async () => {
    const { head } = await node.done('GET', '/v1/feed/snapshot')
    const keys = await Promise.all(Array.from({ length: 60 }, () => issueKey(node, api)))
    const streams: Promise<Following>[] = []
    for (const [index, key] of keys.entries()) {
      if (index % 10 === 0) streams.push(follow(index % 20 ? node : second, `?after=${head}`))
      await revoke(index % 2 ? node : second, key)
    }
    const last = keys.at(-1)
    for (const following of await Promise.all(streams)) {
      await following.event(aboutKey(last))
      assert.deepEqual(
        following.rows().map((row) => row.key),
        keys.map((key) => key.id),
      )
    }
  })

  it('answers a long poll at once when there is something, else as soon as there is', async () => {
    const { head, epoch } = await node.done('GET', '/v1/feed/snapshot')
    const empty = await node.done('GET', `/v1/feed/events?after=${head}&epoch=${epoch}`)
    assert.deepEqual([empty.rows, empty.head, empty.epoch], [[], head, epoch])
    assert.deepEqual(empty.jwks, await node.done('GET', '/jwks'))
    const known = await node.done('GET', `/v1/feed/events?after=${head}&jwks=${empty.jwks_etag}`)
    assert.equal(known.jwks, undefined)
    assert.equal(known.jwks_etag, empty.jwks_etag)

    const key = await issueKey(node, api)
    const waiting = node.done('GET', `/v1/feed/events?after=${head}&wait=25`)
    await eventually('it waits', async () => (await followers()) === 1)
    await revoke(second, key)
    const told = await waiting
    assert.deepEqual(
      told.rows.map((row: Json) => row.key),
      [key.id],
    )
    assert.equal(told.head, told.rows[0].seq)
    assert.deepEqual((await node.done('GET', `/v1/feed/events?after=${head}&wait=25`)).rows, told.rows)
    const over = await node.done('GET', `/v1/feed/events?after=${told.head}&wait=1`)
    assert.deepEqual([over.rows, over.head], [[], told.head])
    assert.equal(await followers(), 0)
  })

  async function followers(): Promise<number> {
    const { text } = await node.request('GET', '/metrics')
    return Number(/^postern_feed_followers (\d+)/m.exec(text)?.[1])
  }

  it('shows a credential of one tenant its own rows and those of everybody', async () => {
    const [mine, theirs] = [await newTenant(node), await newTenant(node)]
    const operator = await newOperator(node, ['verify'], { tenant: mine.id })
    const before = await node.done('GET', '/v1/feed/snapshot', undefined, operator.key)
    const following = await follow(node, `?after=${before.head}`, operator.key)
    const [key, hidden] = [
      await issueKey(node, api, { tenant: mine.id }),
      await issueKey(node, api, { tenant: theirs.id }),
    ]
    await revoke(node, hidden)
    await revoke(node, key)
    const shared = await newResource(node)
    await node.done('PATCH', `/v1/resources/${shared.id}`, { name: 'Another name' })
    await following.event(({ event, data }) => event === 'row' && data.key === shared.id)
    const visible = [key.id, shared.id]
    assert.deepEqual(
      following.rows().map((row) => row.key),
      visible,
    )
    const snapshot = await node.done('GET', '/v1/feed/snapshot', undefined, operator.key)
    assert.ok(!snapshot.rows.some((row: Json) => row.key === hidden.id))
    const poll = await node.done('GET', `/v1/feed/events?after=${before.head}`, undefined, operator.key)
    assert.deepEqual(
      poll.rows.map((row: Json) => row.key),
      visible,
    )
    const whole = await node.done('GET', `/v1/feed/events?after=${before.head}`)
    assert.ok(whole.rows.some((row: Json) => row.key === hidden.id))
  })

  it('names to a credential of some APIs those alone', async () => {
    const operator = await newOperator(node, ['verify'], { resources: [api.id] })
    const { resources } = await node.done('GET', '/v1/feed/snapshot', undefined, operator.key)
    assert.deepEqual(
      resources.map((one: Json) => one.id),
      [api.id],
    )
  })

  it('ends a stream with its credential, on whichever node that ends', async () => {
    const operator = await newOperator(node, ['verify'])
    const following = await follow(node, '', operator.key)
    await live(following)
    await second.done('POST', `/v1/operators/${operator.id}/revoke`, {})
    const end = await following.event(({ event }) => event === 'end')
    assert.deepEqual(end.data, { code: 'revoked' })
    await following.ended
    assert.equal((await node.request('GET', '/v1/feed/snapshot', { key: operator.key })).status, 401)
  })

  it('ends a stream and a waiting poll whose credential expires', async () => {
    const operator = await newOperator(node, ['verify'], { expires_at: node.clock.at(60_000) })
    const following = await follow(node, '', operator.key)
    await live(following)
    const { head } = (await following.event(({ event }) => event === 'heartbeat')).data
    const poll = node.request('GET', `/v1/feed/events?after=${head}&wait=25`, { key: operator.key })
    await eventually('it waits', async () => (await followers()) === 2)
    node.clock.advance(61_000)
    assert.deepEqual((await following.event(({ event }) => event === 'end')).data, { code: 'expired' })
    await following.ended
    const { status, body } = await poll
    assert.deepEqual([status, body.code], [401, 'expired'])
  })

  it('wants a bearer with the scope verify, in the header', async () => {
    const operator = await newOperator(node, ['keys:read'])
    const key = await issueKey(node, api)
    for (const path of ['snapshot', 'stream', 'events?after=0'].map((one) => `/v1/feed/${one}`)) {
      const status = async (asking: object): Promise<number> =>
        (await node.request('GET', path, asking)).status
      assert.equal(await status({ key: null }), 401, path)
      assert.equal(await status({ key: operator.key }), 403, path)
      assert.equal(await status({ key: key.key }), 401, path)
      assert.equal(await status({ key: null, headers: { 'x-api-key': node.operatorKey } }), 401, path)
      const url = `${path}${path.includes('?') ? '&' : '?'}key=${node.operatorKey}`
      assert.equal((await node.request('GET', url, { key: null })).status, 401, path)
    }
  })

  it('tells whoever asks from below the purge, of another epoch or from the future, to begin anew', async () => {
    const { head } = await node.done('GET', '/v1/feed/snapshot')
    await revoke(node, await issueKey(node, api))
    node.clock.advance(3 * 86_400_000)
    assert.ok((await purgeFeed(node.deployment.storage, node.clock)) > 0)
    const { head: now, epoch } = await node.done('GET', '/v1/feed/snapshot')
    for (const query of [`after=${head}`, `after=${now}&epoch=another`, `after=${now + 1e9}`]) {
      const following = await follow(node, `?${query}`)
      const reset = await following.event(({ event }) => event === 'reset')
      assert.deepEqual(reset.data, { epoch, head: now }, query)
      await following.ended
      const poll = await node.done('GET', `/v1/feed/events?${query}&wait=25`)
      assert.deepEqual(poll, { reset: true, epoch, head: now }, query)
    }
    await live(await follow(node, `?after=${now}&epoch=${epoch}`))
  })

  it('fills no gap by poll that is larger than a snapshot, and streams it', async () => {
    const { head } = await node.done('GET', '/v1/feed/snapshot')
    const keys = Array.from({ length: 10_050 }, (_, index) => `gap-${index}`)
    await node.deployment.storage.write(async (tx) => {
      for (const key of keys)
        node.deployment.context.changes.publish(
          tx,
          { type: 'system', id: 'system' },
          {
            action: 'test.changed',
            tenant: null,
            target: { type: 'test', id: key },
            feed: { kind: 'limit', key, effect: 'changed' },
          },
        )
    })
    assert.equal((await node.done('GET', `/v1/feed/events?after=${head}`)).reset, true)
    const following = await follow(node, `?after=${head}`)
    await live(following)
    assert.deepEqual(
      following.rows().map(({ key }) => key),
      keys,
    )
  })

  it('ends streams and polls when the server closes, and lets nobody in any more', async () => {
    const third = await node.secondNode()
    const address = await third.deployment.server.listen({ host: '127.0.0.1', port: 0 })
    const following = await followAt(address, '/v1/feed/stream', node.operatorKey)
    const beat = await following.event(({ event }) => event === 'heartbeat')
    const poll = third.request('GET', `/v1/feed/events?after=${beat.data.head}&wait=25`)
    await eventually('both follow', async () => {
      const { text } = await third.request('GET', '/metrics')
      return /^postern_feed_followers 2$/m.test(text)
    })
    const closed = third.close()
    await following.ended
    assert.equal((await poll).status, 503)
    await closed
  })

  it('sends the keys before it promises anything, and when they change', async () => {
    const before = await node.done('GET', '/jwks')
    const following = await follow(node)
    await live(following)
    const told = (): Json[] =>
      following.events.filter(({ event }) => event === 'jwks').map(({ data }) => data)
    assert.deepEqual(following.events[0]?.data, before)
    assert.equal(told().length, 1)
    await second.done('POST', '/v1/signing-keys/rotate', { algorithm: 'ES256' })
    await eventually('it is told', async () => told().length > 1)
    const after = await node.done('GET', '/jwks')
    assert.notDeepEqual(after, before)
    assert.deepEqual(told().at(-1), after)
  })

  it('resets every stream, and answers every poll, when a new epoch begins', async () => {
    const following = await follow(node)
    await live(following)
    const { head } = await node.done('GET', '/v1/feed/snapshot')
    const poll = node.done('GET', `/v1/feed/events?after=${head}&wait=25`)
    await eventually('it waits', async () => (await followers()) === 2)
    await node.deployment.storage.write(async (tx) =>
      beginEpoch(tx, { epoch: `epoch${head}`, timeline: null, atLeast: 0 }),
    )
    const reset = await following.event(({ event }) => event === 'reset')
    assert.equal(reset.data.epoch, `epoch${head}`)
    await following.ended
    assert.deepEqual(await poll, { reset: true, epoch: `epoch${head}`, head })
  })

  it('drops a stream that does not read', async () => {
    const following = await follow(node)
    await live(following)
    following.stall()
    const key = 'x'.repeat(5_000)
    for (let round = 0; round < 40 && (await followers()) > 0; round++)
      await node.deployment.storage.write(async (tx) => {
        for (let count = 0; count < 200; count++)
          node.deployment.context.changes.publish(
            tx,
            { type: 'system', id: 'system' },
            {
              action: 'test.changed',
              tenant: null,
              target: { type: 'test', id: 'large' },
              feed: { kind: 'limit', key, effect: 'changed' },
            },
          )
      })
    await eventually('it is let go', async () => (await followers()) === 0)
  })
})
