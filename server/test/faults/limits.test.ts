/** Limits and usage with real servers: a flood of parallel requests, two processes over Valkey, and kill -9. */
import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { onBothDatabases, freshPostgres, stopPostgres } from '../databases.ts'
import { freePort } from '../postgres-cluster.ts'
import { startValkey, WITHOUT_VALKEY } from '../valkey.ts'
import { type Child, startNode } from './child-process.ts'
import { environmentFor, prepareDeployment, type Prepared, RESOURCE_URI } from './prepared-deployment.ts'
import { type Client, createClient, eventually } from './running-deployment.ts'

const ENTRY = join(import.meta.dirname, '../../bin/postern.js')
const REQUESTS = 10_000
const AT_ONCE = 250

async function serve(prepared: Prepared, env: NodeJS.ProcessEnv = {}) {
  const port = await freePort()
  const server = startNode(
    [ENTRY, 'serve'],
    environmentFor(prepared.location, { POSTERN_PORT: String(port), ...env }),
  )
  const address = `http://127.0.0.1:${port}`
  await eventually('the server answers', () =>
    fetch(`${address}/healthz`).then(
      (answer) => answer.ok,
      () => false,
    ),
  )
  return { server, address, client: createClient(address, prepared.operatorKey) }
}

async function ended({ process: child, exited }: Child, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal)
  await exited
}

async function limitedKey(
  client: Client,
  limit: Record<string, unknown>,
): Promise<{ id: string; key: string }> {
  const { body } = await client.issue()
  const { status } = await client.call('PUT', `/v1/limits/key/${body['id']}`, { limits: [limit] })
  assert.equal(status, 200)
  return { id: String(body['id']), key: String(body['key']) }
}

/** How many passed, spread over the servers. Over plain connections: `fetch` would be the slower side. */
async function flood(addresses: readonly string[], operatorKey: string, credential: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })
  const body = JSON.stringify({ credential, resource: RESOURCE_URI })
  const headers = { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' }
  const ask = (address: string): Promise<boolean> =>
    new Promise((resolve, reject) => {
      const asked = request(`${address}/v1/verify`, { agent, method: 'POST', headers }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (data) => (text += data))
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve(text.startsWith('{"valid":true')) : reject(new Error(text)),
        )
      })
      asked.on('error', reject).end(body)
    })
  let [asked, passed] = [0, 0]
  const caller = async (): Promise<void> => {
    while (asked < REQUESTS) if (await ask(addresses[asked++ % addresses.length] as string)) passed++
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
  agent.destroy()
  return passed
}

const RATE = { type: 'rate', name: 'r', limit: 1, window_seconds: 86_400, burst: 100 }
const QUOTA = { type: 'quota', name: 'q', limit: 100, period: 'month' }

onBothDatabases('a limit of 100', (fresh) => {
  it('lets exactly 100 of 10,000 parallel requests pass, of a rate and of a quota', async () => {
    const prepared = await prepareDeployment((await fresh()).location)
    const { server, address, client } = await serve(prepared)
    for (const limit of [RATE, QUOTA]) {
      const { key } = await limitedKey(client, limit)
      assert.equal(await flood([address], prepared.operatorKey, key), 100, String(limit.type))
    }
    await ended(server, 'SIGTERM')
  })

  it('is counted on after a restart', async () => {
    const prepared = await prepareDeployment((await fresh()).location)
    const first = await serve(prepared)
    const { key } = await limitedKey(first.client, RATE)
    for (let count = 0; count < 60; count++) await first.client.verify(key)
    await ended(first.server, 'SIGTERM')
    const second = await serve(prepared)
    let passed = 0
    for (let count = 0; count < 60; count++)
      if ((await second.client.verify(key)).body['valid'] === true) passed++
    assert.equal(passed, 40)
    await ended(second.server, 'SIGTERM')
  })
})

describe('a limit of 100 in two processes over Valkey', { skip: WITHOUT_VALKEY }, () => {
  it('lets exactly 100 of 10,000 parallel requests pass', async () => {
    const database = await freshPostgres()
    const valkey = await startValkey()
    const prepared = await prepareDeployment(database.location)
    const env = { POSTERN_VALKEY_URL: valkey.url, POSTERN_NODES: '2' }
    const two = [await serve(prepared, env), await serve(prepared, env)] as const
    const { key } = await limitedKey(two[0].client, RATE)
    assert.equal(
      await flood(
        two.map(({ address }) => address),
        prepared.operatorKey,
        key,
      ),
      100,
    )
    for (const { server } of two) await ended(server, 'SIGTERM')
    await valkey.stop()
    await database.drop()
    await stopPostgres()
  })
})

onBothDatabases('usage', (fresh) => {
  it('loses at most the last second to a kill -9', async () => {
    const prepared = await prepareDeployment((await fresh()).location)
    const first = await serve(prepared)
    const { body } = await first.client.issue()
    for (let count = 0; count < 50; count++) await first.client.verify(String(body['key']))
    await sleep(1_500)
    for (let count = 0; count < 50; count++) await first.client.verify(String(body['key']))
    await ended(first.server, 'SIGKILL')
    const second = await serve(prepared)
    const answer = await second.client.call('GET', `/v1/usage?credential=${body['id']}&group_by=result`)
    const [{ count }] = answer.body['data'] as [{ count: number }]
    assert.ok(count >= 50 && count <= 100, `${count} of 100`)
    await ended(second.server, 'SIGTERM')
  })
})
