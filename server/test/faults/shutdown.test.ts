/** SIGTERM in the middle of changes: the real server ends by itself, and what it acknowledged is there. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshSqlite, onBothDatabases } from '../databases.ts'
import { follow } from '../feed-follower.ts'
import { freePort } from '../postgres-cluster.ts'
import { startNode } from './child-process.ts'
import { environmentFor, prepareDeployment } from './prepared-deployment.ts'
import { createClient, eventually } from './running-deployment.ts'
import { faultsAfterCrash } from './survivors.ts'

const CALLERS = 8
const ENTRY = join(import.meta.dirname, '../../bin/postern.js')

onBothDatabases('SIGTERM during changes', (fresh) => {
  it('loses nothing that was acknowledged, and leaves nobody hanging', async (test) => {
    const prepared = await prepareDeployment((await fresh()).location)
    const port = await freePort()
    const server = startNode(
      [ENTRY, 'serve'],
      environmentFor(prepared.location, { POSTERN_PORT: String(port), POSTERN_SHUTDOWN_GRACE_SECONDS: '5' }),
    )
    const address = `http://127.0.0.1:${port}`
    await eventually('the server answers', () =>
      fetch(`${address}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      ),
    )
    const client = createClient(address, prepared.operatorKey)
    const acknowledged: string[] = []
    const otherwise: number[] = []
    const callers = Array.from({ length: CALLERS }, async () => {
      for (;;) {
        // Refused connections end a caller; half an answer would throw here as well, and be missing below.
        const issued = await client.issue().catch(() => undefined)
        if (issued === undefined) return
        if (issued.status !== 201) return void otherwise.push(issued.status)
        const id = String(issued.body['id'])
        acknowledged.push(`issued ${id}`)
        const revoked = await client.call('POST', `/v1/keys/${id}/revoke`, {}).catch(() => undefined)
        if (revoked?.status === 200) acknowledged.push(`revoked ${id}`)
      }
    })
    await eventually('changes are acknowledged', async () => acknowledged.length > 2 * CALLERS)
    await sleep(Math.random() * 100)
    server.process.kill('SIGTERM')
    assert.equal(await server.exited, 0, server.errors())
    await Promise.all(callers)
    assert.ok(
      otherwise.every((status) => status === 503),
      `callers were answered ${otherwise.join(', ')}`,
    )
    assert.deepEqual(await faultsAfterCrash(prepared.location, prepared.resourceId, acknowledged), [])
    test.diagnostic(`${acknowledged.length} acknowledged changes, all there`)
  })
})

for (const workers of ['1', '2'])
  it(`SIGTERM ends open streams at once, with ${workers} worker(s)`, async () => {
    const database = freshSqlite()
    const prepared = await prepareDeployment(database.location)
    const port = await freePort()
    const server = startNode(
      [ENTRY, 'serve', '--workers', workers],
      environmentFor(prepared.location, { POSTERN_PORT: String(port), POSTERN_SHUTDOWN_GRACE_SECONDS: '60' }),
    )
    const address = `http://127.0.0.1:${port}`
    await eventually('the server answers', () =>
      fetch(`${address}/readyz`).then(
        (answer) => answer.ok,
        () => false,
      ),
    )
    const streams = await Promise.all(
      Array.from({ length: 6 }, () => follow(address, '/v1/feed/stream', prepared.operatorKey)),
    )
    for (const stream of streams) await stream.event(({ event }) => event === 'heartbeat')
    // A change that one worker makes is told by every one of them.
    const client = createClient(address, prepared.operatorKey)
    const { body } = await client.issue()
    await client.call('POST', `/v1/keys/${String(body['id'])}/revoke`, {})
    for (const stream of streams) await stream.event(({ data }) => data.key === body['id'])
    const cut = setTimeout(() => server.process.kill('SIGKILL'), 20_000)
    server.process.kill('SIGTERM')
    for (const stream of streams) await stream.ended
    assert.equal(await server.exited, 0, server.errors())
    clearTimeout(cut)
    await database.drop()
  })
