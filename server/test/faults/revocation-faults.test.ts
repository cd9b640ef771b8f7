/**
 * What must not bring a dead credential back, nor leave a verifier believing that it knows everything. The controls take a
 * guard out and have to fail: they prove that these tests would notice.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { evidence } from '../../src/oauth/evidence.ts'
import { OLDEST_READING_MS, purgeFeed, readFeedHead, subjectKey } from '../../src/revocation/index.ts'
import { type AccessTokenClaims, SigningKeys } from '../../src/tokens/index.ts'
import { Verifier } from '../../src/verify/index.ts'
import { systemCaller, systemClock } from '../../src/kernel/index.ts'
import { freshPostgres, onBothDatabases, stopPostgres } from '../databases.ts'
import { eventually, type Json, newResource as newApi, openNode, ROOT_SECRET, unique } from '../deployment.ts'
import { follow, type Following } from '../feed-follower.ts'
import {
  API,
  basic,
  claimsOf,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../oauth-server.ts'
import { freePort } from '../postgres-cluster.ts'
import { claimsFor, forgeOwn } from '../tokens/forge.ts'
import { startNode } from './child-process.ts'
import { startProxy } from './cuttable-proxy.ts'
import { environmentFor, prepareDeployment } from './prepared-deployment.ts'
import { createClient } from './running-deployment.ts'

const SYSTEM = systemCaller([])
const ENTRY = join(import.meta.dirname, '../../bin/postern.js')

onBothDatabases('a server that is killed', (fresh) => {
  it('is followed further by whoever resumes: no row is left out, none comes twice', async (test) => {
    const prepared = await prepareDeployment((await fresh()).location)
    const port = await freePort()
    const address = `http://127.0.0.1:${port}`
    const start = async () => {
      const server = startNode(
        [ENTRY, 'serve'],
        environmentFor(prepared.location, { POSTERN_PORT: String(port), POSTERN_ISSUER: address }),
      )
      const answers = (): Promise<boolean> =>
        fetch(`${address}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        )
      await eventually('the server answers', answers, 10_000)
      return server
    }
    let server = await start()
    const client = createClient(address, prepared.operatorKey)
    const revoked: string[] = []
    const over = new AbortController()
    // Changes as they come, also while nobody answers.
    const changing = (async () => {
      while (!over.signal.aborted) {
        const issued = await client.issue().catch(() => undefined)
        if (issued?.status !== 201) await new Promise((resolve) => setTimeout(resolve, 20))
        const id = String(issued?.body['id'])
        const answer = await client.call('POST', `/v1/keys/${id}/revoke`, {}).catch(() => undefined)
        if (answer?.status === 200) revoked.push(id)
      }
    })()

    const rows: { seq: number; key: string }[] = []
    const snapshot = await client.call('GET', '/v1/feed/snapshot')
    let position = Number(snapshot.body['head'])
    /** A verifier's loop: follows until the connection is lost, and resumes by what it has. */
    const listenOnce = async (enough: () => boolean): Promise<void> => {
      const following = await follow(
        address,
        `/v1/feed/stream?after=${position}`,
        prepared.operatorKey,
      ).catch(() => undefined)
      if (!following) return
      const watching = setInterval(() => enough() && following.cut(), 5)
      await following.ended
      clearInterval(watching)
      assert.ok(!following.events.some(({ event }) => event === 'reset'), 'it needed no snapshot')
      for (const row of following.rows()) rows.push({ seq: row.seq, key: row.key })
      position = rows.at(-1)?.seq ?? position
    }
    for (let round = 0; round < 2; round++) {
      const seen = revoked.length
      const listening = listenOnce(() => false)
      await eventually('some are revoked', async () => revoked.length > seen + 10, 10_000)
      server.process.kill('SIGKILL')
      await Promise.all([server.exited, listening])
      server = await start()
    }
    await eventually('more are revoked', async () => revoked.length > 40, 10_000)
    over.abort()
    await changing
    const last = Number((await client.call('GET', '/v1/feed/snapshot')).body['head'])
    const following = await follow(address, `/v1/feed/stream?after=${position}`, prepared.operatorKey)
    await following.event(({ event, data }) => event === 'heartbeat' && data.head >= last)
    for (const row of following.rows()) rows.push({ seq: row.seq, key: row.key })
    following.cut()

    const seqs = rows.map(({ seq }) => seq)
    assert.deepEqual(
      seqs,
      [...new Set(seqs)].toSorted((a, b) => a - b),
    )
    const told = new Set(rows.map(({ key }) => key))
    assert.deepEqual(
      revoked.filter((id) => !told.has(id)),
      [],
    )
    const whole = await client.call('GET', '/v1/feed/snapshot')
    const inForce = (whole.body['rows'] as { seq: number }[]).filter(
      ({ seq }) => seq > Number(snapshot.body['head']),
    )
    assert.deepEqual(
      seqs,
      inForce.map(({ seq }) => seq),
    )
    server.process.kill('SIGTERM')
    await server.exited
    test.diagnostic(`${rows.length} rows over two kills`)
  })
})

describe('of two nodes, one cut from the database', () => {
  it('stops its heartbeats and refuses snapshots and polls, while the other goes on; and recovers', async () => {
    const database = await freshPostgres()
    const near = await openNode(database)
    const url = new URL(database.location.databaseUrl as string)
    const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    url.hostname = '127.0.0.1'
    url.port = String(proxy.port)
    const behind = { ...database, location: { ...database.location, databaseUrl: url.href } }
    const far = await openNode(behind, { operatorKey: near.operatorKey, clock: near.clock })
    const followed = new Map<typeof near, Following>()
    for (const node of [near, far]) {
      const address = await node.deployment.server.listen({ host: '127.0.0.1', port: 0 })
      followed.set(node, await follow(address, '/v1/feed/stream', near.operatorKey))
    }
    const of = (node: typeof near): Following => followed.get(node) as Following
    const beats = (node: typeof near): Json[] =>
      of(node)
        .events.filter(({ event }) => event === 'heartbeat')
        .map(({ data }) => data)
    for (const node of [near, far]) await of(node).event(({ event }) => event === 'heartbeat')

    for (const lose of ['cut', 'swallow'] as const) {
      proxy[lose]()
      const refused = async (path: string): Promise<boolean> =>
        (await far.request('GET', path)).body.code === 'storage_unavailable'
      await eventually('it refuses snapshots', () => refused('/v1/feed/snapshot'), 5_000)
      assert.ok(await refused(`/v1/feed/events?after=${beats(near).at(-1).head}&wait=1`))
      const [silent, heard] = [beats(far).length, beats(near).length]
      const api = await newApi(near)
      await near.done('PATCH', `/v1/resources/${api.id}`, { name: 'changed' })
      const row = await of(near).event(({ event, data }) => event === 'row' && data.key === api.id)
      await eventually('the other goes on', async () => beats(near).length > heard + 1, 5_000)
      assert.equal(beats(far).length, silent, 'nothing is promised')
      assert.ok(
        !of(far)
          .rows()
          .some(({ key }) => key === api.id),
      )
      proxy.mend()
      await of(far).event(({ event, data }) => event === 'row' && data.key === api.id)
      await of(far).event(({ event, data }) => event === 'heartbeat' && data.head >= row.data.seq)
    }
    for (const { age_ms: age } of [...beats(near), ...beats(far)]) assert.ok(age <= OLDEST_READING_MS)
    for (const node of [near, far]) of(node).cut()
    await Promise.all([near.close(), far.close()])
    await proxy.close()
    await database.drop()
    await stopPostgres()
  })
})

onBothDatabases('tokens', (fresh) => {
  let server: OAuthServer
  let client: Json
  before(async () => {
    server = await openOAuthServer(await fresh())
    await newResource(server)
    client = await newClient(server, { resources: [{ resource: API }] })
  })
  after(() => server.close())

  const storage = () => server.deployment.storage
  const verdict = async (credential: string): Promise<string> => {
    const answer = await server.manage('POST', '/v1/verify', { credential, resource: API })
    return answer.valid ? 'valid' : answer.code
  }
  const issueKey = (more: object = {}): Promise<Json> =>
    server.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: unique(),
      resource: API,
      scopes: ['orders:read'],
      ...more,
    })
  const exchange = (key: string) =>
    server.form('/token', {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: 'api-key',
      subject_token: key,
      subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
    })
  const revoke = (target: object): Promise<Json> =>
    server.manage('POST', '/v1/revocations', { targets: [target] })
  const head = async (): Promise<number> => (await readFeedHead(storage().read())).seq
  /** With the deployment's own key: what somebody who stole it could make. */
  const forged = async (more: Partial<AccessTokenClaims> = {}): Promise<string> => {
    const keys = new SigningKeys(storage(), ROOT_SECRET, systemClock)
    await keys.load()
    const base = { iss: server.issuer, aud: API, tenant: client.tenant, rsn: await head() }
    return forgeOwn(keys, {
      ...claimsFor(Date.now(), base, { client_id: client.id, sub: client.id, ...more }),
    })
  }

  describe('that are issued while their subject is revoked', () => {
    const { verifyFresh } = Verifier.prototype
    afterEach(() => {
      Verifier.prototype.verifyFresh = verifyFresh
    })

    /** The key has just been found good; now, before the token is made, its owner is signed out everywhere. */
    const issueDuringRevocation = async (reversed: boolean): Promise<string> => {
      const key = await issueKey()
      Verifier.prototype.verifyFresh = async function (this: Verifier, question) {
        const decision = await verifyFresh.call(this, question)
        if (question.credential !== key.key) return decision
        const { changes } = server.deployment.context
        await storage().write(async (tx) => {
          changes.publish(tx, SYSTEM, {
            action: 'test.revoked',
            tenant: key.tenant,
            target: { type: 'subject', id: key.owner },
            feed: { kind: 'subject', key: subjectKey(key.tenant, key.owner), effect: 'revoked' },
          })
        })
        if (reversed) evidence().rsn = await head()
        return decision
      }
      const { status, body } = await exchange(key.key)
      assert.equal(status, 200, JSON.stringify(body))
      return body.access_token
    }

    it('are dead', async () => {
      assert.equal(await verdict(await issueDuringRevocation(false)), 'revoked')
    })

    it('control: with the position read after the record, such a token is alive', async () => {
      assert.equal(await verdict(await issueDuringRevocation(true)), 'valid')
    })
  })

  it('are dead or were never issued, however many are exchanged while their owner is revoked', async () => {
    const owner = unique()
    const key = await issueKey({ owner })
    const answers = Array.from({ length: 40 }, () => exchange(key.key))
    await revoke({ kind: 'subject', id: owner, tenant: key.tenant })
    for (const { status, body } of await Promise.all(answers))
      if (status === 200) assert.equal(await verdict(body.access_token), 'revoked')
  })

  it('end with the key, grant, session, client, subject, actor or parent token that they descend from', async () => {
    const gone: [Partial<AccessTokenClaims>, object][] = []
    const key = await issueKey()
    gone.push([{ anc: [key.id] }, { kind: 'api_key', id: key.id }])
    gone.push([{ anc: ['parent-jti'] }, { kind: 'token', id: 'parent-jti' }])
    gone.push([{ act: { sub: 'an-agent' } }, { kind: 'actor', id: 'an-agent', tenant: client.tenant }])
    gone.push([
      { act: { sub: 'outer', act: { sub: 'inner-agent' } } },
      { kind: 'actor', id: 'inner-agent', tenant: client.tenant },
    ])
    gone.push([{ sub: 'somebody' }, { kind: 'subject', id: 'somebody', tenant: client.tenant }])
    gone.push([{ cnf: { jkt: 'k'.repeat(43) } }, { kind: 'proof_key', id: 'k'.repeat(43) }])
    for (const [claims, target] of gone) {
      const [token, stranger] = [await forged(claims), await forged()]
      const alive = claims.cnf ? 'proof_required' : 'valid'
      assert.equal(await verdict(token), alive, JSON.stringify(target))
      await revoke(target)
      assert.equal(await verdict(token), 'revoked', JSON.stringify(target))
      assert.equal(await verdict(stranger), 'valid', JSON.stringify(target))
    }
    const changes = server.deployment.context.changes
    for (const [kind, claims] of [
      ['grant', { gid: 'gra_0000000000000000000001' }],
      ['session', { sid: 'ses_0000000000000000000001' }],
      ['grant', { anc: ['gra_0000000000000000000002'] }],
      ['session', { anc: ['ses_0000000000000000000002'] }],
    ] as const) {
      const token = await forged(claims as Partial<AccessTokenClaims>)
      assert.equal(await verdict(token), 'valid')
      const id = Object.values(claims).flat()[0] as string
      await storage().write(async (tx) => {
        changes.publish(tx, SYSTEM, {
          action: 'test.ended',
          tenant: null,
          target: { type: kind, id },
          feed: { kind, key: id, effect: 'revoked' },
        })
      })
      assert.equal(await verdict(token), 'revoked', `${kind} ${JSON.stringify(claims)}`)
    }
  })

  it('of a revoked proof key stay dead when its row is gone, and none is bound to it again', async () => {
    const jkt = 'p'.repeat(43)
    const token = await forged({ cnf: { jkt } })
    await revoke({ kind: 'proof_key', id: jkt })
    await storage().write(async (tx) => {
      await tx.over<{ feed_rows: { key: string } }>().deleteFrom('feed_rows').where('key', '=', jkt).execute()
    })
    assert.equal(await verdict(token), 'revoked')
    assert.equal(
      await verdict(await forged({ cnf: { jkt } })),
      'revoked',
      'also one that was made afterwards',
    )
  })

  it('gain nothing by the position that a stolen signing key claims for them', async () => {
    const owner = unique()
    const now = await head()
    // Past every level that is still to come, they think.
    const claimed = [Number.MAX_SAFE_INTEGER, 2 ** 53, now + 3_600_000_000, now + 1]
    for (const rsn of claimed)
      assert.notEqual(await verdict(await forged({ sub: owner, rsn })), 'valid', String(rsn))
    const token = await forged({ sub: owner, rsn: now })
    assert.equal(await verdict(token), 'valid')
    await revoke({ kind: 'subject', id: owner, tenant: client.tenant })
    assert.equal(await verdict(token), 'revoked')
    // A level cannot reach what is forged afterwards; the key's own end does, whatever is claimed.
    const later = await forged({ sub: owner })
    assert.equal(await verdict(later), 'valid')
    const { kid } = JSON.parse(Buffer.from(later.split('.')[0] as string, 'base64url').toString())
    await revoke({ kind: 'signing_key', id: kid })
    assert.notEqual(await verdict(later), 'valid')
  })

  it('of RFC 7009 revocation and of a reused code end in the feed', async () => {
    const { epoch, head: from } = await server.manage('GET', '/v1/feed/snapshot')
    const credentials = basic(client.id, client.client_secret)
    const { body } = await server.form(
      '/token',
      { grant_type: 'client_credentials', resource: API },
      credentials,
    )
    assert.equal((await server.form('/revoke', { token: body.access_token }, credentials)).status, 200)
    const { rows } = await server.manage('GET', `/v1/feed/events?after=${from}&epoch=${epoch}`)
    assert.deepEqual(
      rows.map((row: Json) => [row.kind, row.key, row.effect]),
      [['token', claimsOf(body.access_token).jti, 'revoked']],
    )
    const artifacts = server.deployment.oauth.artifacts
    const grantId = 'gra_0000000000000000000003'
    const expiresAtMs = Date.now() + 60_000
    const rsn = await head()
    await artifacts.save({ model: 'Grant', id: grantId, payload: { clientId: client.id }, rsn, expiresAtMs })
    await artifacts.save({ model: 'RefreshToken', id: 'a-token', payload: { grantId }, rsn, expiresAtMs })
    assert.equal(await artifacts.consume('RefreshToken', 'a-token'), 'consumed')
    assert.equal(await artifacts.consume('RefreshToken', 'a-token'), 'lost')
    const next = await server.manage('GET', `/v1/feed/events?after=${rsn}`)
    assert.deepEqual(
      next.rows.map((row: Json) => [row.kind, row.key, row.effect]),
      [['grant', grantId, 'revoked']],
    )
  })
})

onBothDatabases('the feed, as time passes', (fresh) => {
  it('goes on in order when the clock is set back an hour, and brings nothing back', async () => {
    const node = await openNode(await fresh())
    const address = await node.deployment.server.listen({ host: '127.0.0.1', port: 0 })
    const api = await newApi(node)
    const newKey = (): Promise<Json> =>
      node.done('POST', '/v1/keys', { name: 'k', owner: unique(), resource: api.uri, scopes: [] })
    const keys = [await newKey(), await newKey()]
    const following = await follow(address, '/v1/feed/stream', node.operatorKey)
    await following.event(({ event }) => event === 'heartbeat')
    const valid = async (key: Json): Promise<boolean> =>
      (await node.done('POST', '/v1/verify', { credential: key.key })).valid
    for (const key of keys) assert.equal(await valid(key), true)
    await node.done('POST', `/v1/keys/${keys[0].id}/revoke`, {})
    node.clock.advance(-3_600_000)
    await node.done('POST', `/v1/keys/${keys[1].id}/revoke`, {})
    const second = await following.event(({ data }) => data.key === keys[1].id)
    await following.event(({ event, data }) => event === 'heartbeat' && data.head >= second.data.seq)
    const [one, two] = following.rows()
    assert.ok(one.seq < two.seq && one.at > two.at)
    assert.ok(two.drop_after > node.clock.nowMs() + 80_000_000)
    await purgeFeed(node.deployment.storage, node.clock)
    for (const key of keys) assert.equal(await valid(key), false)
    const snapshot = await node.done('GET', '/v1/feed/snapshot')
    for (const key of keys) assert.ok(snapshot.rows.some((row: Json) => row.key === key.id))
    following.cut()
    await node.close()
  })

  it('holds no more than what is in force, at 50 revocations a second for ten minutes', async (test) => {
    const node = await openNode(await fresh())
    const { storage, context } = node.deployment
    const api = await newApi(node, { token_lifetime_seconds: 60 })
    await storage.write(async (tx) => {
      // The deployment's other APIs would keep rows for longer.
      await tx
        .over<{ token_lifetimes: { source: string } }>()
        .deleteFrom('token_lifetimes')
        .where('source', '!=', api.id)
        .execute()
    })
    const countRows = async (): Promise<number> => {
      const { count } = await storage
        .scan<{ feed_rows: { seq: number } }>()
        .selectFrom('feed_rows')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow()
      return Number(count)
    }
    const before = await countRows()
    const keepSeconds = 60 + 120
    const sizes: number[] = []
    for (let second = 0; second < 600; second += 10) {
      await storage.write(async (tx) => {
        for (let made = 0; made < 500; made++)
          context.changes.publish(tx, SYSTEM, {
            action: 'test.revoked',
            tenant: null,
            target: { type: 'token', id: 'x' },
            feed: { kind: 'token', key: `${second}-${made}`, effect: 'revoked' },
          })
      })
      node.clock.advance(10_000)
      await purgeFeed(storage, node.clock)
      sizes.push((await countRows()) - before)
    }
    const inForce = (keepSeconds + 10) * 50
    assert.ok(Math.max(...sizes) <= inForce, `${Math.max(...sizes)} rows`)
    assert.equal(sizes.at(-1), sizes.at(-20), 'it stands still')
    const { rows } = await node.done('GET', '/v1/feed/snapshot')
    assert.ok(rows.length <= inForce + before)
    node.clock.advance(keepSeconds * 1000 + 1_000)
    await purgeFeed(storage, node.clock)
    assert.equal((await countRows()) - before, 0)
    test.diagnostic(`at most ${Math.max(...sizes)} rows of 30,000`)
    await node.close()
  })
})
