/**
 * What a verify costs the database, counted, not timed: one read for a credential at first sight, none for one that is
 * known, and never a write before the reply. Through the whole server, its own credential included.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { KyselyPlugin, RootOperationNode } from 'kysely'
import { generateKey } from '../../src/api-keys/key-format.ts'
import { type Deployment, openDeployment } from '../../src/app.ts'
import { onBothDatabases } from '../databases.ts'
import { configFor, prepareDeployment, RESOURCE_URI } from './prepared-deployment.ts'

interface Counted {
  reads: number
  writes: number
}

/** Counts what goes through the deployment's storage, but for the node's own reading of the feed. */
function countOn({ storage }: Deployment): Counted {
  const counted: Counted = { reads: 0, writes: 0 }
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (!readsTheFeed(node)) counted.reads++
      return node
    },
    transformResult: async ({ result }) => result,
  }
  const { read, scan, write } = storage
  storage.read = <Tables>() => read<Tables>().withPlugin(plugin)
  storage.scan = <Tables>() => scan<Tables>().withPlugin(plugin)
  storage.write = (work) => {
    counted.writes++
    return write(work)
  }
  return counted
}

function readsTheFeed(node: RootOperationNode): boolean {
  return /"name":"feed_(head|rows)"/.test(JSON.stringify('from' in node ? node.from : undefined) ?? '')
}

onBothDatabases('what a verify costs the database', (fresh) => {
  it('is two reads at first sight (the key, its limits), none afterwards, and no write', async () => {
    const prepared = await prepareDeployment((await fresh()).location)
    const deployment = await openDeployment(configFor(prepared.location), { setUp: false })
    const headers = { authorization: `Bearer ${prepared.operatorKey}` }
    const ask = async (url: string, payload: object) =>
      (await deployment.server.inject({ method: 'POST', url, headers, payload })).json<
        Record<string, unknown>
      >()
    const verify = (credential: string) => ask('/v1/verify', { credential, resource: RESOURCE_URI })
    const issue = async () =>
      (await ask('/v1/keys', { name: 'k', owner: 'o', resource: RESOURCE_URI, scopes: [] }))['key'] as string
    const [first, second] = [await issue(), await issue()]

    const counted = countOn(deployment)
    assert.equal((await verify(first))['valid'], true)
    // The other one is the caller's own credential, which this process had only read for management so far.
    assert.deepEqual(counted, { reads: 3, writes: 0 })
    assert.equal((await verify(second))['valid'], true)
    assert.deepEqual(counted, { reads: 5, writes: 0 })
    for (let count = 0; count < 100; count++) assert.equal((await verify(first))['valid'], true)
    assert.equal(counted.reads, 5)
    // One of ours that does not exist costs no more than one that does.
    const absent = generateKey('sk', 'live').key
    assert.deepEqual([(await verify(absent))['code'], counted.reads], ['unknown', 6])
    // Other text could be an imported key under a pepper that another node has just made: one small read more.
    const unknown = await verify('not a key of ours'.replaceAll(' ', '-'))
    assert.deepEqual([unknown['code'], counted.reads], ['unknown', 8])
    await deployment.close()
  })

  it('is answered while no write gets anywhere', async () => {
    const prepared = await prepareDeployment((await fresh()).location)
    const deployment = await openDeployment(configFor(prepared.location), { setUp: false })
    const { storage } = deployment
    const { write } = storage
    const attempts: string[] = []
    const stuck = Promise.withResolvers<never>()
    stuck.promise.catch(() => {})
    storage.write = () => {
      attempts.push('a write')
      return stuck.promise
    }
    const verify = () =>
      deployment.server.inject({
        method: 'POST',
        url: '/v1/verify',
        headers: { authorization: `Bearer ${prepared.operatorKey}` },
        payload: { credential: prepared.operatorKey },
      })
    // Until what a verify leaves behind (last use) is on its way to be written, and then once more.
    const startedMs = performance.now()
    while (attempts.length === 0 && performance.now() - startedMs < 10_000) {
      assert.equal((await verify()).json<{ valid: boolean }>().valid, true)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    assert.ok(attempts.length > 0, 'nothing was ever written, so nothing was shown')
    assert.equal((await verify()).json<{ valid: boolean }>().valid, true)
    storage.write = write
    stuck.reject(new Error('the test is over'))
    await deployment.close()
  })
})
