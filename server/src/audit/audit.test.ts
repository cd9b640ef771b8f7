/** The audit chain shows every kind of tampering, and the activity log stays small under a flood. */
import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import { onBothDatabases } from '../../test/databases.ts'
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
} from '../../test/deployment.ts'
import { ActivityLog, chainHash, GENESIS } from './index.ts'

interface Tables {
  audit_events: { seq: number; data: string; hash: string; previous_hash: string }
  audit_head: { seq: number; hash: string }
}

onBothDatabases('the audit chain', (fresh) => {
  let node: Node
  before(async () => {
    node = await openNode(await fresh())
    const api = await newResource(node)
    for (let count = 0; count < 10; count++) await issueKey(node, api)
  })
  after(() => node.close())

  const check = (head?: Json): Promise<Json> => node.done('POST', '/v1/audit/verify', head ? { head } : {})

  /** Does to the database what `tamper` says, looks, and undoes it. */
  async function tampered(
    tamper: (db: ReturnType<Node['deployment']['storage']['read']>) => Promise<unknown>,
    kept?: Json,
  ): Promise<Json> {
    const { storage } = node.deployment
    const [events, head] = await Promise.all([
      sql<Record<string, unknown>>`SELECT * FROM audit_events ORDER BY seq`.execute(storage.read()),
      sql<{ seq: number; hash: string }>`SELECT seq, hash FROM audit_head`.execute(storage.read()),
    ])
    await storage.write((tx) => tamper(tx.over<unknown>()))
    const found = await check(kept)
    await storage.write(async (tx) => {
      const db = tx.over<Tables>()
      await db.deleteFrom('audit_events').execute()
      await db
        .insertInto('audit_events')
        .values(events.rows as never)
        .execute()
      await db
        .updateTable('audit_head')
        .set(head.rows[0] as never)
        .execute()
    })
    assert.equal((await check(kept)).ok, true)
    return found
  }

  it('is whole, and every event names who did what to what', async () => {
    const head = await node.done('GET', '/v1/audit/head')
    const result = await check(head)
    assert.deepEqual(result, { ok: true, checked: head.seq, head })
    const { data } = await node.done('GET', '/v1/audit?limit=100')
    assert.deepEqual(
      data.map((event: Json) => event.seq),
      Array.from({ length: head.seq }, (_, index) => head.seq - index),
    )
    const oldest = data.at(-1)
    assert.equal(oldest.previous_hash, GENESIS)
    for (const event of data) {
      assert.ok(event.action.includes('.') && event.target.id !== '' && event.actor.id !== '')
      assert.ok(!JSON.stringify(event).includes('_live_'))
    }
  })

  it('shows a changed event at its place', async () => {
    for (const column of ['data', 'actor_id', 'action', 'target_id', 'tenant']) {
      const { ok, broken_at } = await tampered((db) =>
        sql`UPDATE audit_events SET ${sql.ref(column)} = 'x' WHERE seq = 5`.execute(db),
      )
      assert.deepEqual([ok, broken_at], [false, { seq: 5, reason: 'its content was changed' }], column)
    }
    const time = await tampered((db) => sql`UPDATE audit_events SET at = at + 1 WHERE seq = 5`.execute(db))
    assert.equal(time.broken_at.seq, 5)
  })

  it('shows a changed event whose hash was made to fit, at the one after it', async () => {
    const { rows } = await sql<Json>`SELECT * FROM audit_events WHERE seq = 5`.execute(
      node.deployment.storage.read(),
    )
    const [row] = rows
    const hash = chainHash(row.previous_hash, 5, {
      id: row.id,
      at: row.at,
      tenant: row.tenant,
      actorType: row.actor_type,
      actorId: row.actor_id,
      action: row.action,
      targetType: row.target_type,
      targetId: row.target_id,
      data: '{}',
    })
    const found = await tampered((db) =>
      sql`UPDATE audit_events SET data = '{}', hash = ${hash} WHERE seq = 5`.execute(db),
    )
    assert.deepEqual(found.broken_at, { seq: 6, reason: 'it does not follow the event before it' })
  })

  it('shows a removed event, and two that were swapped', async () => {
    const removed = await tampered((db) => sql`DELETE FROM audit_events WHERE seq = 7`.execute(db))
    assert.deepEqual(removed.broken_at, { seq: 7, reason: 'the event is missing' })
    const first = await tampered((db) => sql`DELETE FROM audit_events WHERE seq = 1`.execute(db))
    assert.equal(first.broken_at.seq, 1)
    const swapped = await tampered(async (db) => {
      await sql`UPDATE audit_events SET seq = -1 WHERE seq = 7`.execute(db)
      await sql`UPDATE audit_events SET seq = 7 WHERE seq = 8`.execute(db)
      await sql`UPDATE audit_events SET seq = 8 WHERE seq = -1`.execute(db)
    })
    assert.deepEqual(swapped.broken_at, { seq: 7, reason: 'it does not follow the event before it' })
  })

  it('shows a cut tail against its head, and against a kept head when the head was rewritten to fit', async () => {
    const kept = await node.done('GET', '/v1/audit/head')
    const cut = await tampered((db) => sql`DELETE FROM audit_events WHERE seq > 9`.execute(db))
    assert.equal(cut.broken_at.seq, 10)
    const rewrite = async (db: ReturnType<Node['deployment']['storage']['read']>): Promise<void> => {
      await sql`DELETE FROM audit_events WHERE seq > 9`.execute(db)
      await sql`UPDATE audit_head SET seq = 9, hash = (SELECT hash FROM audit_events WHERE seq = 9)`.execute(
        db,
      )
    }
    assert.equal((await tampered(rewrite)).ok, true, 'whole in itself: only a kept head can tell')
    const against = await tampered(rewrite, kept)
    assert.equal(against.ok, false)
    assert.deepEqual(against.broken_at.seq, 10)
  })

  it('shows a chain that was made anew from somewhere against a kept head', async () => {
    const { seq } = await node.done('GET', '/v1/audit/head')
    const other = { seq, hash: 'A'.repeat(43) }
    const found = await check(other)
    assert.deepEqual(found.broken_at, { seq, reason: 'it is not the event that was kept elsewhere' })
  })

  it('has one event for each change, and none for what was refused', async () => {
    const before = (await node.done('GET', '/v1/audit/head')).seq
    await newTenant(node)
    await node.request('POST', '/v1/tenants', { body: { name: '' } })
    await node.request('GET', '/v1/keys')
    const operator = await newOperator(node, ['keys:read'])
    await node.request('POST', '/v1/tenants', { body: { name: 'x' }, key: operator.key })
    assert.equal((await node.done('GET', '/v1/audit/head')).seq, before + 2)
  })

  it('is filtered by each member', async () => {
    const tenant = await newTenant(node)
    const found = async (query: Record<string, string>): Promise<string[]> =>
      (await node.done('GET', `/v1/audit?limit=100&${new URLSearchParams(query).toString()}`)).data.map(
        (event: Json) => event.action,
      )
    assert.deepEqual(await found({ target: tenant.id }), ['tenant.created'])
    assert.deepEqual(await found({ tenant: tenant.id }), ['tenant.created'])
    assert.ok((await found({ action: 'api_key.issued' })).every((action) => action === 'api_key.issued'))
    assert.deepEqual(await found({ actor: 'nobody' }), [])
    assert.deepEqual(await found({ target: tenant.id, since: node.clock.at(1) }), [])
    assert.deepEqual(await found({ target: tenant.id, since: node.clock.at(0) }), ['tenant.created'])
    assert.deepEqual(await found({ target: tenant.id, until: node.clock.at(0) }), [])
  })
})

onBothDatabases('the activity log', (fresh) => {
  let node: Node
  before(async () => {
    node = await openNode(await fresh())
  })
  after(() => node.close())

  const rowsOf = async (code: string): Promise<Json[]> => {
    const { rows } = await sql<Json>`SELECT * FROM activity WHERE code = ${code}`.execute(
      node.deployment.storage.read(),
    )
    return rows
  }
  const sum = (rows: Json[]): number => rows.reduce((total, row) => total + Number(row.count), 0)

  it('counts what is alike in one row', async () => {
    const log = new ActivityLog(node.deployment.storage, node.clock)
    const code = unique()
    for (let count = 0; count < 1_000; count++)
      log.record({ kind: 'denial', code, route: 'verify', network: '192.0.2.0/24' })
    await log.flush()
    log.record({ kind: 'denial', code, route: 'verify', network: '192.0.2.0/24' })
    await log.flush()
    const rows = await rowsOf(code)
    assert.deepEqual([rows.length, sum(rows)], [1, 1_001])
  })

  it('stays bounded under a flood of 100,000 networks, and counts every one', async () => {
    const clock = new TestClock()
    const log = new ActivityLog(node.deployment.storage, clock)
    const code = unique()
    for (let count = 0; count < 100_000; count++) {
      log.record({
        kind: 'denial',
        code,
        route: 'verify',
        network: `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`,
      })
      if (count === 50_000) await log.flush()
    }
    await log.flush()
    const rows = await rowsOf(code)
    assert.ok(rows.length <= 501, `${rows.length} rows`)
    assert.equal(sum(rows), 100_000)
    clock.advance(60_000)
    log.record({ kind: 'denial', code, route: 'verify', network: '192.0.2.0/24' })
    await log.flush()
    assert.equal((await rowsOf(code)).filter((row) => row.network === '192.0.2.0/24').length, 1)
  })

  it('names an exposed key whatever floods it', async () => {
    const log = new ActivityLog(node.deployment.storage, new TestClock())
    for (let count = 0; count < 2_000; count++)
      log.record({ kind: 'denial', code: 'unknown', route: 'verify', network: `n${count}` })
    const code = unique()
    log.record({ kind: 'exposed', code, route: 'verify', network: 'n', tenant: 't', credential: 'key_1' })
    await log.flush()
    assert.deepEqual(
      (await rowsOf(code)).map((row) => [row.credential, row.tenant]),
      [['key_1', 't']],
    )
  })

  it('is swept after 30 days', async () => {
    const clock = new TestClock()
    const log = new ActivityLog(node.deployment.storage, clock)
    const code = unique()
    log.record({ kind: 'denial', code, route: 'verify', network: 'n' })
    await log.flush()
    clock.advance(30 * 86_400_000)
    await log.purge()
    assert.equal((await rowsOf(code)).length, 1)
    clock.advance(60_000)
    await log.purge()
    assert.equal((await rowsOf(code)).length, 0)
  })

  it('is listed page by page, newest first', async () => {
    const log = new ActivityLog(node.deployment.storage, node.clock)
    const code = unique()
    for (let minute = 0; minute < 5; minute++) {
      log.record({ kind: 'denial', code, route: 'verify', network: 'n' })
      await log.flush()
      node.clock.advance(60_000)
    }
    const minutes: string[] = []
    let path: string | null = `/v1/activity?code=${code}&limit=2`
    while (path !== null) {
      const page: Json = await node.done('GET', path)
      minutes.push(...page.data.map((row: Json) => row.minute))
      path = page.next_cursor && `/v1/activity?code=${code}&limit=2&cursor=${page.next_cursor}`
    }
    assert.equal(minutes.length, 5)
    assert.deepEqual(minutes, minutes.toSorted().toReversed())
  })
})
