/** The counters by themselves, on a clock that the test moves: what any window admits, and what memory is good for. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { startValkey, type TestValkey, WITHOUT_VALKEY } from '../../test/valkey.ts'
import type { Clock } from '../kernel/index.ts'
import { systemClock } from '../kernel/index.ts'
import type { BoundRate } from './bound-limit.ts'
import type { RateLimit } from './limit.ts'
import { LocalCounters } from './local-counters.ts'
import { SharedCounters } from './shared-counters.ts'
import { ValkeyCounters } from './valkey-counters.ts'

class StillClock implements Clock {
  ms = 1_000_000
  nowMs(): number {
    return this.ms
  }
  monotonicMs(): number {
    return this.ms
  }
}

let count = 0
function rate(limit: Partial<RateLimit>, rsn = 100): BoundRate {
  return {
    bucket: `key:test-${count++}:r`,
    on: 'key',
    limit: {
      type: 'rate',
      name: 'r',
      limit: 10,
      windowSeconds: 1,
      burst: 10,
      enforcement: 'strict',
      ...limit,
    },
    rsn,
  }
}

describe('counters in one process', () => {
  it('admit at most burst + rate · w in any window, at whatever moments requests come', () => {
    const clock = new StillClock()
    const counters = new LocalCounters({ clock, sinceRsn: 0 })
    const bound = rate({ limit: 7, windowSeconds: 2, burst: 5 })
    const admitted: number[] = []
    let seed = 7
    for (let step = 0; step < 5_000; step++) {
      seed = (seed * 48_271) % 2_147_483_647
      // Idle now and then, for longer than it takes to fill.
      clock.ms += step % 500 === 499 ? 60_000 : seed % 90
      if (counters.take([bound], 1).ok) admitted.push(clock.ms)
    }
    for (let from = 0; from < admitted.length; from++)
      for (let to = from; to < Math.min(admitted.length, from + 200); to++) {
        const window = (admitted[to] as number) - (admitted[from] as number)
        assert.ok(to - from + 1 <= 5 + (3.5 * window) / 1000 + 1e-6)
      }
    assert.ok(admitted.length > 500)
  })

  it('start what they do not remember with what has refilled since, and what is younger whole', () => {
    const clock = new StillClock()
    const counters = new LocalCounters({ clock, sinceRsn: 50 })
    assert.equal(counters.take([rate({}, 50)], 10).ok, true)
    const old = rate({}, 49)
    assert.equal(counters.take([old], 1).ok, false)
    // One lease may still be out; then it refills at its rate.
    clock.ms += 1_250 + 300
    assert.deepEqual(counters.take([old], 3), { ok: true, levels: [0] })
    assert.deepEqual(counters.take([rate({}, 49)], 3), { ok: true, levels: [0] })
  })

  it('stay bounded, and take what they had to forget as spent', () => {
    const clock = new StillClock()
    const counters = new LocalCounters({ clock, sinceRsn: 0, mostBuckets: 100 })
    const first = rate({ limit: 1, windowSeconds: 3600, burst: 5 })
    assert.equal(counters.take([first], 5).ok, true)
    for (let many = 0; many < 100; many++)
      counters.take([rate({ limit: 1, windowSeconds: 3600, burst: 5 })], 1)
    assert.equal(counters.take([first], 1).ok, false)
    assert.equal(counters.take([rate({})], 1).ok, false)
  })

  it('keep to a lowered burst at once, and give no more than the rate after a raised one', () => {
    const clock = new StillClock()
    const counters = new LocalCounters({ clock, sinceRsn: 0 })
    const wide = rate({ burst: 100 })
    counters.take([wide], 50)
    const narrow = { ...wide, limit: { ...wide.limit, burst: 10 } }
    assert.equal(counters.take([narrow], 11).ok, false)
    assert.deepEqual(counters.take([narrow], 10).levels, [0])
    assert.equal(counters.take([wide], 1).ok, false)
  })

  it('of four processes with a quarter each never admit more than the whole', () => {
    const clock = new StillClock()
    const four = Array.from({ length: 4 }, () => new LocalCounters({ clock, sinceRsn: 0, share: 1 / 4 }))
    const bound = rate({ limit: 40, burst: 80 })
    let admitted = 0
    for (let step = 0; step < 1_000; step++) {
      clock.ms += 10
      for (const counters of four) if (counters.take([bound], 1).ok) admitted++
    }
    assert.ok(admitted <= 80 + 40 * 10)
    assert.ok(admitted >= 40 * 10)
  })
})

describe('counters in Valkey', { skip: WITHOUT_VALKEY }, () => {
  let valkey: TestValkey
  let open: ValkeyCounters[] = []
  // One that were left open would come back as well, and say its own position.
  afterEach(() => {
    for (const one of open) one.close()
    open = []
  })
  before(async () => {
    valkey = await startValkey()
  })
  after(async () => {
    await valkey.stop()
  })
  const connect = async (position = 50): Promise<ValkeyCounters> => {
    const counters = new ValkeyCounters({ url: valkey.url, position: () => position, onChange: () => {} })
    open.push(counters)
    await counters.connect()
    return counters
  }
  const admittedOf = async (many: Promise<{ ok: boolean }>[]): Promise<number> =>
    (await Promise.all(many)).filter(({ ok }) => ok).length

  it('admit exactly the burst of two connections that ask at once', async () => {
    const two = [await connect(), await connect()]
    const bound = rate({ limit: 1, windowSeconds: 86_400, burst: 100 })
    const asked = Array.from({ length: 1_000 }, (_, index) =>
      (two[index % 2] as ValkeyCounters).take([bound], 1),
    )
    assert.equal(await admittedOf(asked), 100)
  })

  it('charge every bucket or none', async () => {
    const counters = await connect()
    const [a, b] = [
      rate({ burst: 5, limit: 1, windowSeconds: 86_400 }),
      rate({ burst: 3, limit: 1, windowSeconds: 86_400 }),
    ]
    const rounded = async (cost: number) => {
      const { ok, levels } = await counters.take([a, b], cost)
      return { ok, levels: levels.map(Math.floor) }
    }
    assert.deepEqual(await rounded(4), { ok: false, levels: [5, 3] })
    assert.deepEqual(await rounded(3), { ok: true, levels: [2, 0] })
    assert.deepEqual(await rounded(1), { ok: false, levels: [2, 0] })
  })

  it('take one command for a decision of several limits', async () => {
    const counters = await connect()
    const bounds = [rate({}), rate({}), rate({})]
    // Twice, so that the script is known.
    await counters.take(bounds, 1)
    const called = await commandsOf(valkey)
    for (let asked = 0; asked < 20; asked++) await counters.take(bounds, 0)
    assert.equal((await commandsOf(valkey)) - called, 20)
  })

  it('start empty after a restart that lost everything, but for what is younger', async () => {
    const counters = await connect(1_000)
    const old = rate({ limit: 1, windowSeconds: 60, burst: 50 }, 900)
    await valkey.stop()
    await valkey.start()
    await until(() => counters.isReady)
    assert.equal((await counters.take([old], 1)).ok, false)
    assert.equal((await counters.take([rate({ burst: 50 }, 1_000)], 50)).ok, true)
  })

  it('take what was admitted alone from a Valkey that only fell silent, and still knows everything', async () => {
    const inner = await connect(1_000)
    const options = { valkey: inner, clock: systemClock, position: () => 1_000 }
    const counters = new SharedCounters({ ...options, share: 1 })
    const bound = rate({ limit: 1, windowSeconds: 86_400, burst: 50 }, 1_000)
    valkey.pause()
    // The first is charged here once it was not answered, and in Valkey when that goes on.
    assert.equal((await counters.take([bound], 1)).ok, true)
    assert.equal((await counters.take([bound], 29)).ok, true)
    valkey.resume()
    await new Promise((resolve) => setTimeout(resolve, 600))
    const { ok, levels } = await counters.take([bound], 1)
    assert.equal(ok, true)
    assert.equal(Math.floor(levels[0] as number), 50 - 1 - 30 - 1)
  })

  it('are replaced by a share while they are lost, and come back without a flood', async () => {
    const inner = await connect(1_000)
    const options = { valkey: inner, clock: systemClock, position: () => 1_000 }
    const counters = new SharedCounters({ ...options, share: 1 / 2 })
    const bound = rate({ limit: 200, burst: 200 }, 900)
    await counters.take([bound], 1)
    await valkey.stop()
    let [alone, asked] = [0, 0]
    const startedMs = performance.now()
    while (performance.now() - startedMs < 1_500) {
      asked++
      if ((await counters.take([bound], 1)).ok) alone++
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    const took = (performance.now() - startedMs) / 1000
    // Half the rate; memory of it began when Valkey was lost, and waited for leases.
    assert.ok(alone <= 100 * took + 1, `${alone} in ${took} s`)
    assert.ok(alone > 0 && asked > alone)

    const closed = new SharedCounters({ ...options, share: undefined })
    await assert.rejects(async () => closed.take([bound], 1))

    await valkey.start()
    await until(() => inner.isReady)
    await new Promise((resolve) => setTimeout(resolve, 600))
    const { ok, levels } = await counters.take([bound], 1)
    assert.equal(ok, false)
    assert.ok((levels[0] as number) <= 0, `${levels[0]} after ${alone} were admitted alone`)
  })
})

async function commandsOf({ url }: TestValkey): Promise<number> {
  const { createClient } = await import('@redis/client')
  const client = createClient({ url })
  await client.connect()
  const stats = await client.info('commandstats')
  client.destroy()
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setTimeout(resolve, 10))
}
