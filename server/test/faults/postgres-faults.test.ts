/**
 * A lost Postgres. Known keys are served while the node's reading of the feed is young, then nothing is vouched for:
 * 503, soon, with a log line, never a false success; and the node recovers by itself.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OLDEST_READING_MS } from '../../src/revocation/index.ts'
import { freshPostgres, stopPostgres, type TestDatabase } from '../databases.ts'
import { type CuttableProxy, startProxy } from './cuttable-proxy.ts'
import { type Prepared, prepareDeployment } from './prepared-deployment.ts'
import { type Answer, eventually, type Running, runDeployment } from './running-deployment.ts'
import { faultsAfterCrash } from './survivors.ts'

/** Against hanging, on a machine that is busy with other tests: what is meant is a second. */
const NO_HANG_MS = 2_500
/** A change may have to wait this long for an answer from a database that says nothing. */
const NO_LOST_CHANGE_MS = 8_000

describe('a lost Postgres', () => {
  let database: TestDatabase
  let direct: Prepared
  let proxy: CuttableProxy
  let running: Running
  let credential: string
  let unseenKey: string
  const acknowledged: string[] = []

  const issue = async (): Promise<Answer> => {
    const answer = await running.issue()
    if (answer.status === 201) acknowledged.push(`issued ${String(answer.body['id'])}`)
    return answer
  }

  before(async () => {
    database = await freshPostgres()
    direct = await prepareDeployment(database.location)
  })
  after(async () => {
    await database.drop()
    await stopPostgres()
  })
  beforeEach(async () => {
    const url = new URL(database.location.databaseUrl as string)
    proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
    url.port = String(proxy.port)
    running = await runDeployment({
      ...direct,
      location: { ...database.location, databaseUrl: url.href },
    })
    credential = (await issue()).body['key'] as string
    assert.equal((await running.verify(credential)).body['valid'], true)
    unseenKey = (await issue()).body['key'] as string
    // Several connections to lose, not one.
    await Promise.all(Array.from({ length: 8 }, () => running.call('GET', '/v1/keys')))
  })
  afterEach(async () => {
    proxy.mend()
    await running.close()
    await proxy.close()
    assert.deepEqual(await faultsAfterCrash(database.location, direct.resourceId, acknowledged), [])
  })

  const assertUnavailable = (answer: Answer, withinMs: number): void => {
    assert.equal(answer.status, 503, JSON.stringify(answer.body))
    assert.match(answer.type, /^application\/problem\+json/)
    assert.equal(answer.body['code'], 'storage_unavailable')
    assert.ok(answer.tookMs < withinMs, `it took ${answer.tookMs} ms`)
  }

  /** While it is away: everything is refused, in time. Afterwards: everything works again. */
  async function refusesThenRecovers(loseIt: () => void, withinMs: number): Promise<void> {
    loseIt()
    // The last reading of the feed is young: a known key may still be served.
    const young = await running.verify(credential)
    assert.ok(young.tookMs < NO_HANG_MS)

    await sleep(OLDEST_READING_MS + 300)
    const [old, unseen, read, changed] = await Promise.all([
      running.verify(credential),
      running.verify(unseenKey),
      running.call('GET', '/v1/keys'),
      issue(),
    ])
    assertUnavailable(old, NO_HANG_MS)
    assert.notEqual(unseen.body['valid'], true)
    assertUnavailable(read, NO_HANG_MS)
    assertUnavailable(changed, withinMs)
    const ready = await running.call('GET', '/readyz')
    assert.equal(ready.status, 503)
    const line = running.log.find(({ msg }) => String(msg).startsWith('storage_unavailable: '))
    assert.equal(line?.['level'], 'error')

    proxy.mend()
    const mendedMs = performance.now()
    await eventually('a known key is served again', async () => {
      const { status, body } = await running.verify(credential)
      return status === 200 && body['valid'] === true
    })
    await eventually('a key is issued again', async () => (await issue()).status === 201)
    assert.ok(performance.now() - mendedMs < 10_000)
  }

  it('refuses and recovers when it stops', () => refusesThenRecovers(() => proxy.cut(), NO_HANG_MS))

  it('refuses and recovers when the network swallows everything', () =>
    refusesThenRecovers(() => proxy.swallow(), NO_LOST_CHANGE_MS))

  it('serves a known key while its reading is young, without asking the database', async () => {
    await eventually('a young reading at the moment of the cut', async () => {
      assert.equal((await running.verify(credential)).status, 200)
      proxy.cut()
      const { status, body } = await running.verify(credential)
      proxy.mend()
      await sleep(500)
      return status === 200 && body['valid'] === true
    })
  })

  it('does not serve a key that was revoked elsewhere while the node was cut off', async () => {
    const other = await runDeployment(direct)
    const key = await issue()
    const revoked = key.body['key'] as string
    assert.equal((await running.verify(revoked)).body['valid'], true)
    proxy.cut()
    const { status } = await other.call('POST', `/v1/keys/${String(key.body['id'])}/revoke`, {})
    assert.equal(status, 200)
    acknowledged.push(`revoked ${String(key.body['id'])}`)
    await sleep(OLDEST_READING_MS + 300)
    assertUnavailable(await running.verify(revoked), NO_HANG_MS)
    proxy.mend()
    // From the first answer on: a node that is back has read what it missed.
    let answer: Answer | undefined
    await eventually('the node answers again', async () => {
      answer = await running.verify(revoked)
      return answer.status === 200
    })
    assert.deepEqual([answer?.body['valid'], answer?.body['code']], [false, 'revoked'])
    await other.close()
  })
})
