/** The feed: one order, floors that outlast it, readers that skip nothing and never vouch for what they cannot read. */
import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import pg from 'pg'
import { freshSqlite, onBothDatabases } from '../../test/databases.ts'
import {
  eventually,
  issueKey,
  type Json,
  newResource,
  newTenant,
  type Node,
  openNode,
  TestClock,
  unique,
  verdict,
} from '../../test/deployment.ts'
import { systemCaller } from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import {
  FeedReader,
  type FeedRow,
  noteHead,
  purgeFeed,
  readFeedHead,
  readNotedHead,
  subjectKey,
} from './index.ts'
import { RecentTouches } from './recent-touches.ts'
import { purgeRows } from './store.ts'

const SYSTEM = systemCaller([])

onBothDatabases('the feed', (fresh) => {
  let node: Node
  let second: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    second = await node.secondNode()
    api = await newResource(node)
  })
  after(() => Promise.all([node.close(), second.close()]))

  const head = (): ReturnType<typeof readFeedHead> => readFeedHead(node.deployment.storage.read())
  /** Signs a subject out everywhere: no route does that yet. */
  const revokeSubject = (on: Node, tenant: string, sub: string): Promise<unknown> =>
    on.deployment.storage.write(async (tx) =>
      on.deployment.context.changes.record(tx, SYSTEM, {
        action: 'subject.revoked',
        tenant,
        target: { type: 'subject', id: sub },
        feed: { kind: 'subject', key: subjectKey(tenant, sub), effect: 'revoked' },
      }),
    )
  const change = (on: Node, key = unique()): Promise<{ seq: number } | undefined> =>
    on.deployment.storage.write(async (tx) =>
      on.deployment.context.changes.publish(tx, SYSTEM, {
        action: 'test.changed',
        tenant: null,
        target: { type: 'test', id: key },
        feed: { kind: 'limit', key, effect: 'changed' },
      }),
    )

  it('numbers rows upwards from the microsecond, whatever the clock does', async () => {
    const one = await change(node)
    node.clock.advance(-3_600_000)
    const two = await change(node)
    assert.equal(two?.seq, (one?.seq as number) + 1)
    node.clock.advance(3_600_000 + 5_000)
    const three = await change(node)
    assert.equal(three?.seq, node.clock.nowMs() * 1000)
  })

  it('is read by every node in the one order, with no row left out, while both write', async () => {
    const seen: [FeedRow[], FeedRow[]] = [[], []]
    const stops = [node, second].map((on, index) =>
      on.deployment.feed.onRows((rows) => seen[index as 0 | 1].push(...rows)),
    )
    await Promise.all([node, second].map((on) => on.deployment.feed.catchUp()))
    const start = (await head()).seq
    for (const list of seen) list.length = 0
    const made = await Promise.all(
      Array.from({ length: 200 }, (_, index) => change(index % 2 ? node : second)),
    )
    await eventually(
      'both have read all',
      async () => seen.every((rows) => rows.filter(({ seq }) => seq > start).length >= 200),
      5_000,
    )
    const expected = made.map((row) => row?.seq).toSorted((a, b) => Number(a) - Number(b))
    for (const rows of seen)
      assert.deepEqual(
        rows.map(({ seq }) => seq),
        expected,
      )
    for (const stop of stops) stop()
  })

  it('kills a key under a level that was raised after it, and lets one live that was issued afterwards', async () => {
    const owner = unique()
    const old = await issueKey(node, api, { owner })
    const other = await issueKey(node, api)
    for (const on of [node, second]) assert.equal(await verdict(on, old.key), 'valid')
    await revokeSubject(node, old.tenant, owner)
    const young = await issueKey(node, api, { owner })
    assert.equal(await verdict(node, old.key), 'revoked')
    assert.equal(await verdict(node, young.key), 'valid')
    await eventually('the second node knows', async () => (await verdict(second, old.key)) === 'revoked')
    assert.equal(await verdict(second, young.key), 'valid')
    assert.equal(await verdict(node, other.key), 'valid')
  })

  it('means an external owner inside the tenant alone', async () => {
    const owner = unique()
    const tenant = await newTenant(node)
    const mine = await issueKey(node, api, { owner })
    const theirs = await issueKey(node, api, { owner, tenant: tenant.id })
    await revokeSubject(node, tenant.id, owner)
    assert.equal(await verdict(node, theirs.key), 'revoked')
    assert.equal(await verdict(node, mine.key), 'valid')
  })

  it('keeps floors when the rows that raised them are purged', async () => {
    const owner = unique()
    const old = await issueKey(node, api, { owner })
    await revokeSubject(node, old.tenant, owner)
    const { seq } = await head()
    node.clock.advance(2 * 86_400_000)
    assert.ok((await purgeFeed(node.deployment.storage, node.clock)) > 0)
    assert.ok((await head()).resumeFloor >= seq)
    const late = await node.secondNode()
    assert.equal(await verdict(late, old.key), 'revoked')
    await late.close()
    assert.equal(await purgeFeed(node.deployment.storage, node.clock), 0)
  })

  it('keeps rows about what lives long for a day', async () => {
    const key = await issueKey(node, api)
    await node.done('POST', `/v1/keys/${key.id}/revoke`, {})
    const { seq } = await head()
    const stored = async (): Promise<number> =>
      (await sql`SELECT seq FROM feed_rows WHERE seq = ${seq}`.execute(node.deployment.storage.read())).rows
        .length
    node.clock.advance(86_400_000)
    await purgeFeed(node.deployment.storage, node.clock)
    assert.equal(await stored(), 1)
    node.clock.advance(1)
    await purgeFeed(node.deployment.storage, node.clock)
    assert.equal(await stored(), 0)
  })

  it('keeps a row as long as a token that was issued under the longest lifetime of the last day', async () => {
    const long = await newResource(node, { token_lifetime_seconds: 86_400 })
    node.clock.advance(1)
    await node.done('PATCH', `/v1/resources/${long.id}`, { token_lifetime_seconds: 30 })
    const row = await change(node)
    const dropAfter = async (seq: number): Promise<number> => {
      const { rows } = await sql<{ at: number; drop_after: number }>`
        SELECT at, drop_after FROM feed_rows WHERE seq = ${seq}`.execute(node.deployment.storage.read())
      return (rows[0]?.drop_after as number) - (rows[0]?.at as number)
    }
    assert.equal(await dropAfter(row?.seq as number), 86_400_000 + 120_000)
    node.clock.advance(86_400_000)
    assert.equal(await dropAfter((await change(node))?.seq as number), 86_400_000)
  })

  it('purges while others write, without an error on either side', async () => {
    node.clock.advance(3 * 86_400_000)
    await Promise.all(Array.from({ length: 600 }, () => change(node)))
    node.clock.advance(3 * 86_400_000)
    const results = await Promise.allSettled(
      [node, second].flatMap((on) => [
        purgeFeed(on.deployment.storage, node.clock),
        ...Array.from({ length: 20 }, () => issueKey(on, api)),
        ...Array.from({ length: 20 }, () => change(on)),
      ]),
    )
    assert.deepEqual(
      results.filter(({ status }) => status === 'rejected'),
      [],
    )
  })

  it('takes the head last when it purges, after the audit head, as every transaction does', async (test) => {
    const { databaseUrl } = node.database.location
    if (databaseUrl === undefined) return test.skip('SQLite has one writer')
    await change(node)
    node.clock.advance(3 * 86_400_000)
    const rival = new pg.Client({ connectionString: databaseUrl })
    await rival.connect()
    await rival.query('BEGIN')
    await rival.query('SELECT 1 FROM audit_head FOR UPDATE')
    const { storage, context } = node.deployment
    const purged = storage.write(async (tx) => {
      const gone = await purgeRows(tx, node.clock.nowMs(), 500)
      context.changes.record(tx, SYSTEM, {
        action: 'test.changed',
        tenant: null,
        target: { type: 'test', id: 'x' },
        feed: null,
      })
      return gone
    })
    const waiting = async (): Promise<boolean> =>
      (await rival.query(`SELECT 1 FROM pg_locks WHERE NOT granted`)).rows.length > 0
    await eventually('it waits for the audit head', waiting)
    await rival.query('SELECT 1 FROM feed_head FOR UPDATE NOWAIT')
    await rival.query('COMMIT')
    await rival.end()
    assert.ok((await purged) > 0)
  })

  it('resets a reader that is behind what was purged, and one that finds another epoch', async () => {
    const { storage } = node.deployment
    const reader = new FeedReader(storage, node.clock)
    let resets = 0
    reader.onReset(() => resets++)
    await reader.start()
    await reader.stop()
    const stopped = reader.position
    await change(node)
    node.clock.advance(3 * 86_400_000)
    await change(node)
    await purgeFeed(storage, node.clock)
    assert.equal(reader.position, stopped)
    await reader.catchUp()
    assert.equal(resets, 1)
    assert.equal(reader.position, (await head()).seq)
    assert.equal(reader.touchedSince(stopped, []), true, 'what it missed may have touched anything')
    assert.equal(reader.touchedSince(reader.position, []), false)

    await storage.write((tx) => sql`UPDATE feed_head SET epoch = 'another'`.execute(tx.over()))
    await reader.catchUp()
    assert.deepEqual([resets, reader.epoch], [2, 'another'])
  })

  it('shows a catch-up that was asked for during a reading what was committed before it was asked for', async () => {
    const { storage } = node.deployment
    const gate = { open: Promise.resolve(), reads: 0 }
    const reader = new FeedReader(slowed(storage, gate), node.clock)
    await reader.start()
    await reader.stop()
    const held = Promise.withResolvers<void>()
    gate.open = held.promise
    const running = reader.catchUp()
    // The reading has taken the head already and waits: what commits now is beyond it.
    await eventually('it reads', async () => gate.reads > 0)
    const row = await change(node)
    const asked = reader.catchUp()
    assert.ok(reader.position < (row?.seq as number))
    held.resolve()
    await asked
    assert.ok(reader.position >= (row?.seq as number))
    await running
  })

  it('knows how old its reading is, and never makes it young by a failure', async () => {
    const clock = new TestClock()
    const gate = { open: Promise.resolve(), reads: 0 }
    const reader = new FeedReader(slowed(node.deployment.storage, gate), clock)
    assert.equal(reader.ageMs(), Number.POSITIVE_INFINITY)
    await reader.start()
    await reader.stop()
    gate.open = Promise.reject(new Error('away'))
    gate.open.catch(() => {})
    clock.advanceMonotonic(5_000)
    await reader.catchUp()
    assert.ok(reader.ageMs() >= 5_000)
    gate.open = Promise.resolve()
    await reader.catchUp()
    assert.ok(reader.ageMs() < 1_000)
  })
})

it('RecentTouches remembers the latest, and admits what it forgot', () => {
  const touches = new RecentTouches(100, 10)
  assert.equal(touches.touchedSince(99, ['a']), true, 'before its beginning it knows nothing')
  assert.equal(touches.touchedSince(100, ['a']), false)
  touches.note('a', 101)
  assert.equal(touches.touchedSince(100, ['b', 'a']), true)
  assert.equal(touches.touchedSince(101, ['a']), false)
  for (let seq = 102; seq < 1_000; seq++) touches.note(`r${seq}`, seq)
  assert.equal(touches.touchedSince(101, ['never touched']), true, 'forgotten: it cannot say')
  assert.equal(touches.touchedSince(998, ['r999']), true)
  assert.equal(touches.touchedSince(999, ['r999']), false)
  touches.reset(2_000)
  assert.equal(touches.touchedSince(1_999, []), true)
  assert.equal(touches.touchedSince(2_000, ['r999']), false)
})

it('begins a new epoch when an older copy of the SQLite file was put back, and says so once', async () => {
  const database = freshSqlite()
  const folder = database.location.dataDir
  const first = await openNode(database, { upkeep: true })
  const { operatorKey, clock } = first
  const key = await issueKey(first, await newResource(first))
  await first.close()
  const copy = mkdtempSync(join(tmpdir(), 'postern-copy-'))
  for (const file of readdirSync(folder)) copyFileSync(join(folder, file), join(copy, file))

  clock.advance(60_000)
  const again = await openNode(database, { operatorKey, clock, upkeep: true })
  const { epoch } = again.deployment.feed
  await again.done('POST', `/v1/keys/${key.id}/revoke`, {})
  await again.close()
  assert.match(readFileSync(join(folder, 'feed-head'), 'utf8'), new RegExp(`^${clock.nowMs() * 1000} `))
  assert.equal(statSync(join(folder, 'feed-head')).mode & 0o777, 0o600)

  for (const file of readdirSync(copy).filter((name) => name.startsWith('postern.db')))
    copyFileSync(join(copy, file), join(folder, file))
  const restored = await openNode(database, { operatorKey, clock, upkeep: true })
  assert.notEqual(restored.deployment.feed.epoch, epoch)
  const { epoch: newer } = restored.deployment.feed
  await restored.close()
  const settled = await openNode(database, { operatorKey, clock, upkeep: true })
  assert.equal(settled.deployment.feed.epoch, newer)
  await settled.close()
  rmSync(copy, { recursive: true })
  await database.drop()
})

it('takes a note that cannot be read, or of another deployment, for none', async () => {
  const database = freshSqlite()
  const { dataDir } = database.location
  assert.equal(readNotedHead(dataDir, 'this'), 0)
  noteHead(dataDir, 'this', 42)
  assert.equal(readNotedHead(dataDir, 'this'), 42)
  assert.equal(readNotedHead(dataDir, 'another'), 0)
  writeFileSync(join(dataDir, 'feed-head'), '43\n')
  assert.equal(readNotedHead(dataDir, 'this'), 43, 'from before notes had a name')
  await database.drop()
})

/** A storage whose reads, once begun, wait for the gate before they answer. */
function slowed(storage: Storage, gate: { open: Promise<void>; reads: number }): Storage {
  const slow = <T>(query: T): T =>
    new Proxy(query as object, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function') return member
        if (name !== 'execute' && name !== 'executeTakeFirst')
          return (...words: unknown[]) => slow(Reflect.apply(member, target, words) as object)
        return async (...words: unknown[]) => {
          const answer = (await Reflect.apply(member, target, words)) as unknown
          gate.reads++
          await gate.open
          return answer
        }
      },
    }) as T
  return { ...storage, read: <T>() => slow(storage.read<T>()) }
}
