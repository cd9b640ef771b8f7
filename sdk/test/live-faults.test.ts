/** A verifier that follows a real server, and what may happen to that server, to the network and to the database. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshPostgres, freshSqlite, stopPostgres } from '../../server/test/databases.ts'
import { type Child, startNode } from '../../server/test/faults/child-process.ts'
import { startProxy } from '../../server/test/faults/cuttable-proxy.ts'
import {
  environmentFor,
  prepareDeployment,
  RESOURCE_URI,
} from '../../server/test/faults/prepared-deployment.ts'
import { type Client, createClient } from '../../server/test/faults/running-deployment.ts'
import { API, basic, newClient, newResource, openOAuthServer } from '../../server/test/oauth-server.ts'
import { freePort } from '../../server/test/postgres-cluster.ts'
import { systemClock } from '../src/clock.ts'
import { createVerifier, type Result, type Verifier } from '../src/index.ts'
import { parseOptions } from '../src/options.ts'
import { buildVerifier } from '../src/verifier.ts'
import { bufferingProxy } from './support/buffering-proxy.ts'

const ENTRY = join(import.meta.dirname, '../../server/bin/postern.js')
/** Against hanging; whatever is waited for comes in a fraction of it. */
const NO_HANG_MS = 30_000

async function code(result: Result | Promise<Result>): Promise<string> {
  const settled = await result
  return settled.valid ? 'valid' : settled.code
}

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + NO_HANG_MS
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`never: ${what}`)
    await sleep(20)
  }
}

const becomes = (verifier: Verifier, state: string) =>
  eventually(`it becomes ${state}`, () => verifier.status().state === state)

/** A process of its own on SQLite, which can be killed and started again. */
async function serverProcess(t: TestContext): Promise<{
  readonly address: string
  readonly port: number
  readonly client: Client
  readonly operatorKey: string
  start(): Promise<void>
  kill(): Promise<void>
}> {
  const database = freshSqlite()
  const { location, operatorKey } = await prepareDeployment(database.location)
  const port = await freePort()
  const address = `http://127.0.0.1:${port}`
  let child: Child | undefined
  const kill = async () => {
    child?.process.kill('SIGKILL')
    await child?.exited
  }
  t.after(async () => {
    await kill()
    await database.drop()
  })
  const isReady = () =>
    fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  const server = {
    address,
    port,
    operatorKey,
    client: createClient(address, operatorKey),
    kill,
    async start() {
      const env = environmentFor(location, { POSTERN_PORT: String(port), POSTERN_ISSUER: address })
      child = startNode([ENTRY, 'serve'], env)
      await eventually('the server answers', isReady)
    },
  }
  await server.start()
  return server
}

function following(
  t: TestContext,
  server: string,
  credential: string,
  fetch: typeof globalThis.fetch = globalThis.fetch,
): Verifier {
  const verifier = createVerifier({ server, credential, resource: RESOURCE_URI, onWarning: () => {}, fetch })
  t.after(() => verifier.close())
  return verifier
}

async function issuedKey(client: Client): Promise<{ readonly id: string; readonly key: string }> {
  const { body } = await client.issue()
  return body as unknown as { id: string; key: string }
}

test('a server is killed: known callers are served, and it is followed again when it is back', async (t) => {
  const server = await serverProcess(t)
  const verifier = following(t, server.address, server.operatorKey)
  assert.ok(await verifier.ready(NO_HANG_MS))
  const { id, key } = await issuedKey(server.client)
  assert.equal(await code(verifier.verify(key)), 'valid')
  for (let round = 0; round < 2; round++) {
    await server.kill()
    assert.equal(await code(verifier.verify(key)), 'valid')
    await server.start()
    // Only a stream after the restart tells of this.
    const other = await issuedKey(server.client)
    assert.equal(await code(verifier.verify(other.key)), 'valid')
    await server.client.call('POST', `/v1/keys/${other.id}/revoke`, {})
    await eventually('it is refused', async () => (await code(verifier.verify(other.key))) === 'revoked')
    await becomes(verifier, 'live')
  }
  await server.kill()
  await becomes(verifier, 'stale')
  assert.equal(await code(verifier.verify(key)), 'valid')
  await server.start()
  await server.client.call('POST', `/v1/keys/${id}/revoke`, {})
  await eventually('it is refused', async () => (await code(verifier.verify(key))) === 'revoked')
})

test('a stream is cut without a FIN: the silence is noticed, and what was missed is learnt', async (t) => {
  const server = await serverProcess(t)
  const proxy = await startProxy({ host: '127.0.0.1', port: server.port })
  t.after(() => proxy.close())
  let way = `http://127.0.0.1:${proxy.port}`
  const verifier = following(t, server.address, server.operatorKey, (input, init) =>
    fetch(String(input).replace(server.address, way), init),
  )
  assert.ok(await verifier.ready(NO_HANG_MS))
  const { id, key } = await issuedKey(server.client)
  assert.equal(await code(verifier.verify(key)), 'valid')
  proxy.swallow()
  await server.client.call('POST', `/v1/keys/${id}/revoke`, {})
  await becomes(verifier, 'stale')
  assert.equal(await code(verifier.verify(key)), 'valid', 'it cannot know')
  // New connections work; the old one stays, and says nothing for ever.
  way = server.address
  await eventually('it is refused', async () => (await code(verifier.verify(key))) === 'revoked')
  await becomes(verifier, 'live')
})

test('a proxy collects the stream: the long poll keeps it live, and a revocation arrives', async (t) => {
  const server = await serverProcess(t)
  const proxy = await bufferingProxy(new URL(server.address), 10_000)
  t.after(() => proxy.close())
  const verifier = following(t, proxy.url, server.operatorKey)
  const { id, key } = await issuedKey(server.client)
  assert.ok(await verifier.ready(NO_HANG_MS))
  assert.equal(await code(verifier.verify(key)), 'valid')
  await eventually('it polls', () => (proxy.asked['/v1/feed/events'] ?? 0) > 2)
  await becomes(verifier, 'live')
  await server.client.call('POST', `/v1/keys/${id}/revoke`, {})
  await eventually('it is refused', async () => (await code(verifier.verify(key))) === 'revoked')
  assert.equal(verifier.status().state, 'live')
  assert.equal(proxy.asked['/v1/feed/stream'], 1)
})

test('of two nodes one loses the database: its verifiers leave live, and each route does as it chose', async (t) => {
  const database = await freshPostgres()
  const url = new URL(database.location.databaseUrl as string)
  const proxy = await startProxy({ host: url.hostname, port: Number(url.port) })
  const near = await openOAuthServer(database)
  url.hostname = '127.0.0.1'
  url.port = String(proxy.port)
  const far = await openOAuthServer(
    { ...database, location: { ...database.location, databaseUrl: url.href } },
    { issuer: near.issuer, operatorKey: near.operatorKey },
  )
  // Half a minute is passed by the verifier's clock alone.
  let aheadMs = 0
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs }
  const open: Verifier[] = []
  const verifierAt = (server: string): Verifier => {
    const options = { server, credential: near.operatorKey, resource: API, onWarning: () => {} }
    const verifier = buildVerifier(parseOptions(options), server === near.address ? systemClock : clock)
    open.push(verifier)
    return verifier
  }
  t.after(async () => {
    for (const verifier of open) verifier.close()
    await Promise.all([near.close(), far.close()])
    await proxy.close()
    await database.drop()
    await stopPostgres()
  })
  await newResource(near)
  const client = await newClient(near, { resources: [{ resource: API }] })
  const tokenOf = async (): Promise<string> =>
    (
      await near.form(
        '/token',
        { grant_type: 'client_credentials', resource: API },
        basic(client.id, client.client_secret),
      )
    ).body.access_token
  const [atNear, atFar] = [verifierAt(near.address), verifierAt(far.address)]
  for (const verifier of [atNear, atFar]) assert.ok(await verifier.ready(NO_HANG_MS))
  const token = await tokenOf()
  assert.equal(await code(atFar.verify(token)), 'valid')
  assert.equal(await code(atNear.verify(token)), 'valid')

  proxy.swallow()
  await becomes(atFar, 'stale')
  assert.equal(await code(atFar.verify(token, { whenDegraded: 'closed' })), 'valid')
  await near.manage('POST', '/v1/revocations', { targets: [{ kind: 'token', token }] })
  await eventually('the other knows', async () => (await code(atNear.verify(token))) === 'revoked')
  assert.equal(atNear.status().state, 'live')
  aheadMs += 30_000
  assert.equal(atFar.status().state, 'degraded')
  assert.equal(await code(atFar.verify(token, { whenDegraded: 'closed' })), 'stale')
  assert.equal(await code(atFar.verify(token, { whenDegraded: 'introspect' })), 'unavailable')
  assert.equal(await code(atFar.verify(token, { whenDegraded: 'open' })), 'valid')
  proxy.mend()
  await eventually('it is refused', async () => {
    return (await code(atFar.verify(token, { whenDegraded: 'open' }))) === 'revoked'
  })
  await becomes(atFar, 'live')
})

test('a database is put back from a copy: what has ended stays ended, and new callers are served', async (t) => {
  const database = freshSqlite()
  const first = await openOAuthServer(database, { upkeep: true })
  const { issuer, operatorKey } = first
  let current = first
  const open: Verifier[] = []
  t.after(async () => {
    for (const verifier of open) verifier.close()
    await current.close()
    await database.drop()
  })
  await newResource(first)
  const issue = (): Promise<{ id: string; key: string }> =>
    current.manage('POST', '/v1/keys', {
      name: 'a key',
      owner: 'acct_7',
      resource: API,
      scopes: ['orders:read'],
    })
  const ended = await issue()
  await first.close()
  const copy = mkdtempSync(join(tmpdir(), 'postern-copy-'))
  cpSync(database.location.dataDir, copy, { recursive: true })
  const reopen = () => openOAuthServer(database, { issuer, operatorKey, upkeep: true })
  current = await reopen()

  const verifier = createVerifier({
    server: issuer,
    credential: operatorKey,
    resource: API,
    onWarning: () => {},
    // It moves to another port at each start.
    fetch: (input, init) => fetch(String(input).replace(issuer, current.address), init),
  })
  open.push(verifier)
  assert.ok(await verifier.ready(NO_HANG_MS))
  assert.equal(await code(verifier.verify(ended.key)), 'valid')
  await current.manage('POST', `/v1/keys/${ended.id}/revoke`, {})
  await eventually('it is refused', async () => (await code(verifier.verify(ended.key))) === 'revoked')
  await current.close()

  const isDatabase = (name: string) => name.startsWith('postern.db')
  const { dataDir } = database.location
  for (const file of readdirSync(dataDir).filter(isDatabase)) rmSync(join(dataDir, file))
  for (const file of readdirSync(copy).filter(isDatabase)) cpSync(join(copy, file), join(dataDir, file))
  rmSync(copy, { recursive: true })
  current = await reopen()
  const question = { credential: ended.key, resource: API }
  assert.equal((await current.manage('POST', '/v1/verify', question)).valid, true, 'it was forgotten')
  await eventually('it follows the new epoch', async () => {
    const { key } = await issue()
    return (await code(verifier.verify(key))) === 'valid' && verifier.status().state === 'live'
  })
  for (let round = 0; round < 3; round++) assert.equal(await code(verifier.verify(ended.key)), 'revoked')
})

test('an answer that a revocation overtakes on its way is neither given nor kept', async (t) => {
  const server = await serverProcess(t)
  // An end is known whatever an answer says; of a level only the position of the answer tells.
  for (const kind of ['api_key', 'subject']) {
    const { body } = await server.client.issue()
    const { id, key, tenant } = body as { id: string; key: string; tenant: string }
    const target = kind === 'api_key' ? { kind, id } : { kind, id: 'someone', tenant }
    const answered = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    let held = 0
    const verifier = createVerifier({
      server: server.address,
      credential: server.operatorKey,
      resource: RESOURCE_URI,
      onWarning: () => {},
      timeoutSeconds: 60,
      async fetch(input, init) {
        const response = await fetch(input, init)
        if (!String(input).endsWith('/v1/verify') || held++ > 0) return response
        const text = await response.text()
        answered.resolve()
        await released.promise
        return new Response(text, { status: response.status })
      },
    })
    t.after(() => verifier.close())
    assert.ok(await verifier.ready(NO_HANG_MS))
    const before = verifier.status().position
    const racing = verifier.verify(key)
    await answered.promise
    const done = await server.client.call('POST', '/v1/revocations', { targets: [target], reason: 'test' })
    assert.equal(done.status, 200, JSON.stringify(done.body))
    await eventually('the row is there', () => verifier.status().position > before)
    released.resolve()
    assert.equal(await code(racing), 'revoked', kind)
    assert.equal(verifier.status().cachedCredentials, 0)
    assert.equal(await code(verifier.verify(key)), 'revoked')
    verifier.close()
  }
})
