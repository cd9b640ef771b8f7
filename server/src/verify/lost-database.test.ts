/** A node whose database is cut off stops vouching for what it has cached, says so, and recovers by itself. */
import assert from 'node:assert/strict'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { freshPostgres, stopPostgres, type TestDatabase } from '../../test/databases.ts'
import { eventually, issueKey, type Json, newResource, type Node, openNode } from '../../test/deployment.ts'

/** Between a node and its Postgres: a wire that can be cut, or left lying dead. */
class Wire {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #state: 'whole' | 'cut' | 'silent' = 'whole'

  constructor(target: URL) {
    this.#server = createServer((near) => {
      if (this.#state === 'cut') {
        near.destroy()
        return
      }
      const far = connect(Number(target.port), target.hostname)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from)
        from.on('error', () => {})
        from.on('close', () => to.destroy())
        from.on('data', (bytes) => this.#state === 'whole' && to.write(bytes))
      }
    })
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as { port: number }).port))
    })
  }

  /** Connections break, and new ones are refused. */
  cut(): void {
    this.#state = 'cut'
    this.#drop()
  }

  /** Nothing arrives any more, and nobody is told. */
  silence(): void {
    this.#state = 'silent'
  }

  mend(): void {
    if (this.#state === 'silent') this.#drop()
    this.#state = 'whole'
  }

  close(): void {
    this.#drop()
    this.#server.close()
  }

  #drop(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }
}

describe('a lost database', () => {
  let database: TestDatabase
  let wire: Wire
  /** Behind the wire. */
  let far: Node
  /** Beside the database. */
  let near: Node
  let api: Json
  before(async () => {
    database = await freshPostgres()
    const url = new URL(database.location.databaseUrl as string)
    wire = new Wire(new URL(url.href))
    near = await openNode(database)
    url.port = String(await wire.listen())
    url.hostname = '127.0.0.1'
    const behind = { ...database, location: { ...database.location, databaseUrl: url.href } }
    far = await openNode(behind, { operatorKey: near.operatorKey, clock: near.clock })
    api = await newResource(near)
  })
  after(async () => {
    wire.mend()
    await Promise.all([near.close(), far.close()])
    wire.close()
    await database.drop()
    await stopPostgres()
  })

  const ask = (on: Node, key: Json): ReturnType<Node['request']> =>
    on.request('POST', '/v1/verify', { body: { credential: key.key } })

  for (const fault of ['cut', 'silence'] as const)
    it(`is told as 503 once its reading is too old, after the wire's ${fault}, and is served again when it is back`, async () => {
      const key = await issueKey(near, api)
      assert.equal((await ask(far, key)).body.valid, true)
      wire[fault]()
      // What it cached is good for the second that its reading is young, and no longer.
      await eventually('it stops vouching', async () => (await ask(far, key)).status === 503, 3_000)
      await near.done('POST', `/v1/keys/${key.id}/revoke`, {})
      for (let count = 0; count < 5; count++) {
        const started = performance.now()
        const answer = await ask(far, key)
        assert.deepEqual([answer.status, answer.body.code], [503, 'storage_unavailable'])
        assert.ok(Number(answer.headers['retry-after']) >= 1)
        assert.ok(performance.now() - started < 1_000, 'a refusal takes no longer than a second')
      }
      assert.equal((await far.request('GET', '/readyz', { key: null })).status, 503)
      assert.equal((await far.request('GET', '/healthz', { key: null })).status, 200)
      wire.mend()
      await eventually(
        'it vouches again, and knows',
        async () => (await ask(far, key)).body.code === 'revoked',
        15_000,
      )
      const fresh = await issueKey(far, api)
      assert.equal((await ask(far, fresh)).body.valid, true)
    })

  it('gives changes a 503, and makes none of them by halves', async () => {
    wire.cut()
    const owner = 'during-the-cut'
    const body = { name: 'n', owner, resource: api.uri, scopes: [] }
    const answers = await Promise.all([1, 2, 3].map(() => far.request('POST', '/v1/keys', { body })))
    for (const { status, text } of answers) {
      assert.equal(status, 503)
      assert.ok(!/ECONN|SELECT|at /.test(text), text)
    }
    wire.mend()
    await eventually(
      'it serves again',
      async () => (await far.request('POST', '/v1/keys', { body })).status === 201,
      15_000,
    )
    assert.equal((await near.done('GET', `/v1/keys?owner=${owner}`)).data.length, 1)
    assert.equal((await near.done('POST', '/v1/audit/verify', {})).ok, true)
  })
})
