/** A database that was put back from a copy: everybody starts afresh, older tokens end, and it is said and audited once. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { sql } from 'kysely'
import pg from 'pg'
import { onBothDatabases, type TestDatabase } from '../../test/databases.ts'
import { eventually } from '../../test/deployment.ts'
import { follow } from '../../test/feed-follower.ts'
import {
  API,
  basic,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../test/oauth-server.ts'

onBothDatabases('a restored database', (fresh) => {
  const setUp = async (server: OAuthServer): Promise<() => Promise<string>> => {
    await newResource(server)
    const client = await newClient(server, { resources: [{ resource: API }] })
    return () => tokenOf(server, client)
  }
  const tokenOf = async (server: OAuthServer, { id, client_secret }: Json): Promise<string> =>
    (
      await server.form(
        '/token',
        { grant_type: 'client_credentials', resource: API, scope: 'orders:read' },
        basic(id, client_secret),
      )
    ).body.access_token
  const verdict = async (server: OAuthServer, credential: string): Promise<string> => {
    const answer = await server.manage('POST', '/v1/verify', { credential, resource: API })
    return answer.valid ? 'valid' : answer.code
  }
  const restarts = async (server: OAuthServer): Promise<Json[]> =>
    (await server.manage('GET', '/v1/audit?action=feed.restarted')).data

  it('is known at the next start by the head that was noted, and ends the tokens from before', async () => {
    const database = await fresh()
    const before = await openOAuthServer(database, { upkeep: true })
    const { issuer, operatorKey } = before
    const issue = await setUp(before)
    const token = await issue()
    await before.close()
    const restore = await copyOf(database)

    const second = await openOAuthServer(database, { issuer, operatorKey, upkeep: true })
    const { epoch } = second.deployment.feed
    assert.equal((await restarts(second)).length, 0)
    await second.manage('POST', '/v1/revocations', { targets: [{ kind: 'token', token }] })
    assert.equal(await verdict(second, token), 'revoked')
    await second.close()

    const restored = await restore()
    const third = await openOAuthServer(restored, { issuer, operatorKey, upkeep: true })
    assert.notEqual(third.deployment.feed.epoch, epoch)
    // The database has forgotten that it was revoked; with the key that signed it, it is dead all the same.
    assert.match(await verdict(third, token), /^(revoked|unknown)$/)
    const ended = (await third.manage('GET', '/v1/revocations?kind=signing_key')).data
    assert.deepEqual(
      new Set(ended.map(({ reason }: Json) => reason)),
      new Set(['the database was put back from a copy']),
    )
    const { data } = await third.manage('GET', '/v1/clients')
    const secret = await third.manage('POST', `/v1/clients/${data[0].id}/secrets`, {})
    assert.equal(await verdict(third, await tokenOf(third, { ...secret, id: data[0].id })), 'valid')
    const { epoch: newer } = third.deployment.feed
    assert.equal((await restarts(third)).length, 1)
    await third.close()

    const fourth = await openOAuthServer(restored, { issuer, operatorKey, upkeep: true })
    assert.equal(fourth.deployment.feed.epoch, newer)
    assert.equal((await restarts(fourth)).length, 1)
    await fourth.close()
    if (restored !== database) await restored.drop()
  })

  it('is noticed by the nodes that run on it: one of them acts, and every stream is told', async () => {
    const database = await fresh()
    const first = await openOAuthServer(database)
    const second = await first.secondNode()
    const issue = await setUp(first)
    const { storage, feed } = first.deployment
    const copied = await first.manage('GET', '/v1/feed/snapshot')
    const token = await issue()
    assert.equal(await verdict(second, token), 'valid')
    const streams = await Promise.all(
      [first, second].map((on) => follow(on.address, `/v1/feed/stream?after=${copied.head}`, on.operatorKey)),
    )
    await first.manage('POST', '/v1/revocations', { targets: [{ kind: 'token', id: 'to-be-forgotten' }] })
    for (const stream of streams) await stream.event(({ data }) => data.key === 'to-be-forgotten')
    const lostHead = feed.position

    // What a copy from before would say.
    await storage.write(async (tx) => {
      const db = tx.over<{ feed_rows: { seq: number } }>()
      await db.deleteFrom('feed_rows').where('seq', '>', copied.head).execute()
      await sql`UPDATE feed_head SET seq = ${copied.head} WHERE id = 1`.execute(db)
    })
    for (const stream of streams) {
      const reset = await stream.event(({ event }) => event === 'reset')
      assert.notEqual(reset.data.epoch, copied.epoch)
      await stream.ended
    }
    for (const on of [first, second])
      await eventually('the token is dead', async () => (await verdict(on, token)) !== 'valid', 5_000)
    await eventually(
      'they agree',
      async () => first.deployment.feed.epoch === second.deployment.feed.epoch,
      5_000,
    )
    const [restart, ...more] = await restarts(first)
    assert.deepEqual(more, [], 'one acted')
    assert.equal(restart.data.seen, lostHead)
    assert.ok(feed.position > lostHead, 'no number is given out twice')
    assert.equal(await verdict(second, await issue()), 'valid')
    await Promise.all([first.close(), second.close()])
  })

  it('that another server took over begins a new epoch, and ends no token', async (test) => {
    const database = await fresh()
    if (database.dialect === 'sqlite') return test.skip('SQLite has no timelines')
    const first = await openOAuthServer(database)
    const second = await first.secondNode()
    const issue = await setUp(first)
    const token = await issue()
    const { epoch } = first.deployment.feed
    const stream = await follow(second.address, '/v1/feed/stream', second.operatorKey)
    await stream.event(({ event }) => event === 'heartbeat')
    await onDatabase(database.location.databaseUrl as string, `UPDATE feed_head SET timeline = '0000000F'`)
    const reset = await stream.event(({ event }) => event === 'reset')
    assert.notEqual(reset.data.epoch, epoch)
    assert.equal(await verdict(second, token), 'valid')
    await eventually(
      'they agree',
      async () => first.deployment.feed.epoch === second.deployment.feed.epoch,
      5_000,
    )
    assert.equal((await restarts(first)).length, 1)
    await Promise.all([first.close(), second.close()])
  })
})

/** Copies the database as it is now, which nobody has open; what is answered puts the copy in its place. */
async function copyOf(database: TestDatabase): Promise<() => Promise<TestDatabase>> {
  const { databaseUrl, dataDir } = database.location
  if (databaseUrl === undefined) {
    const copy = mkdtempSync(join(tmpdir(), 'postern-copy-'))
    cpSync(dataDir, copy, { recursive: true })
    return async () => {
      for (const file of readdirSync(dataDir).filter((name) => name.startsWith('postern.db')))
        rmSync(join(dataDir, file))
      for (const file of readdirSync(copy).filter((name) => name.startsWith('postern.db')))
        cpSync(join(copy, file), join(dataDir, file))
      rmSync(copy, { recursive: true })
      return database
    }
  }
  const url = new URL(databaseUrl)
  const name = url.pathname.slice(1)
  url.pathname = '/postgres'
  await onDatabase(url.href, `CREATE DATABASE ${name}_copy TEMPLATE ${name}`)
  const copy = new URL(databaseUrl)
  copy.pathname = `/${name}_copy`
  return async () => ({
    dialect: 'postgres',
    location: { databaseUrl: copy.href, dataDir },
    drop: () => onDatabase(url.href, `DROP DATABASE ${name}_copy WITH (FORCE)`),
  })
}

async function onDatabase(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement)
  await client.end()
}
