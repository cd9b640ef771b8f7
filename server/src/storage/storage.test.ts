import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { sql } from 'kysely'
import { onBothDatabases, type TestDatabase } from '../../test/databases.ts'
import { systemClock } from '../kernel/index.ts'
import { type EndStep, migrate, openStorage, schemaState, type Storage, UniqueViolation } from './index.ts'

interface Tables {
  things: { id: number; name: string }
}

onBothDatabases('storage', (fresh) => {
  let database: TestDatabase
  let storage: Storage
  before(async () => {
    database = await fresh()
    storage = await openStorage(database.location, systemClock)
    await storage.write(async (tx) => {
      await sql`CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL)`.execute(tx.over<Tables>())
    })
  })
  after(() => storage.close())

  const names = async (): Promise<string[]> =>
    (await storage.read<Tables>().selectFrom('things').select('name').orderBy('id').execute()).map(
      (row) => row.name,
    )
  const add = (id: number, name: string) =>
    storage.write(async (tx) => {
      await tx.over<Tables>().insertInto('things').values({ id, name }).execute()
    })

  it('shows a change to readers once write() has resolved', async () => {
    await add(1, 'one')
    assert.deepEqual(await names(), ['one'])
  })

  it('refuses one job of a group and keeps its neighbours', async () => {
    const results = await Promise.allSettled([add(2, 'two'), add(1, 'again'), add(3, 'three')])
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.ok((results[1] as PromiseRejectedResult).reason instanceof UniqueViolation)
    assert.deepEqual(await names(), ['one', 'two', 'three'])
  })

  it('runs the end steps once a group, in the order of their rank, and tells them after the commit', async () => {
    const seen: string[] = []
    const step = (rank: 1 | 2): EndStep<number> => ({
      rank,
      flush: async (_, items) => void seen.push(`${rank}:${items.join(',')}`),
      committed: (items) => void seen.push(`${rank} committed ${items.length}`),
    })
    const [first, second] = [step(1), step(2)]
    await Promise.all(
      [1, 2].map((item) =>
        storage.write(async (tx) => {
          tx.atEnd(second, item)
          tx.atEnd(first, item)
        }),
      ),
    )
    assert.deepEqual(seen, ['1:1,2', '2:1,2', '2 committed 2', '1 committed 2'])
  })

  it('runs a job that is handed in at whichever tick the group before it ends', async () => {
    const heard = async (ticks: number): Promise<void> => {
      const { promise, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(() => reject(new Error(`forgotten after ${ticks} ticks`)), 5_000)
      await Promise.race([storage.write(async () => {}), promise])
      clearTimeout(timer)
    }
    for (let ticks = 0; ticks < 30; ticks++) {
      await heard(ticks)
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
    }
  })

  it('undoes everything when an end step fails, and answers nobody with success', async () => {
    const failing: EndStep<number> = { rank: 1, flush: async () => Promise.reject(new Error('no')) }
    const work = storage.write(async (tx) => {
      await tx.over<Tables>().insertInto('things').values({ id: 9, name: 'nine' }).execute()
      tx.atEnd(failing, 1)
    })
    await assert.rejects(work, /no/)
    assert.deepEqual(await names(), ['one', 'two', 'three'])
  })

  it('refuses a statement that was issued after its transaction ended', async () => {
    let leaked: Promise<unknown> = Promise.resolve()
    await storage.write(async (tx) => {
      setImmediate(() => {
        leaked = tx.over<Tables>().deleteFrom('things').execute()
        leaked.catch(() => {})
      })
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await assert.rejects(leaked, /after its transaction had ended/)
    assert.equal((await names()).length, 3)
  })

  it('tells a watcher about the commit of another connection', async () => {
    const other = await openStorage(database.location, systemClock)
    const { promise, resolve } = Promise.withResolvers<void>()
    const stop = storage.watch(resolve)
    await other.write(async (tx) => {
      await tx.over<Tables>().insertInto('things').values({ id: 10, name: 'ten' }).execute()
    })
    // The watch keeps no process alive; this does, while the test waits.
    const alive = setInterval(() => {}, 1_000)
    await promise
    clearInterval(alive)
    stop()
    await other.close()
  })

  it('migrates once when two processes start at the same time', async () => {
    const empty = await fresh()
    const two = await Promise.all([0, 1].map(() => openStorage(empty.location, systemClock)))
    const applied = await Promise.all(two.map((one) => migrate(one, 1)))
    assert.equal(applied.flat().length, new Set(applied.flat()).size)
    assert.deepEqual((await schemaState(two[0] as Storage)).pending, [])
    await Promise.all(two.map((one) => one.close()))
  })
})
