/**
 * Leases between the server's counters and the SDK's holder, on a clock that the test moves: what any window admits,
 * how much of the allowance is used, and what a holder that vanishes costs.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type LeaseAnswer, LeaseHolder, type LeaseWish } from '../../../sdk/src/leases.ts'
import { onBothDatabases } from '../../test/databases.ts'
import {
  issueKey,
  type Json,
  newOperator,
  newResource,
  newTenant,
  type Node,
  openNode,
} from '../../test/deployment.ts'
import { startValkey, type TestValkey, WITHOUT_VALKEY } from '../../test/valkey.ts'
import type { Clock } from '../kernel/index.ts'
import type { BoundRate } from './bound-limit.ts'
import { leaseRate } from './leases.ts'
import { LocalCounters } from './local-counters.ts'
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

const BOUND: BoundRate = {
  bucket: 'owner:ten_x/acme:r',
  on: 'owner',
  limit: { type: 'rate', name: 'r', limit: 1_000, windowSeconds: 1, burst: 1_000, enforcement: 'leased' },
  rsn: 10,
}
const LIMITS = [{ bucket: BOUND.bucket, enforcement: 'leased' as const }]

interface Simulated {
  /** When each admitted request was admitted. */
  readonly admitted: number[]
  readonly ms: number
  /** Requests that no lease decided. */
  readonly asked: number
}

interface Simulation {
  readonly verifiers: number
  readonly seconds: number
  /** Requests that come to verifier `index` in a second, at `ms`. */
  rate(index: number, ms: number): number
  /** How far each verifier's clock is from the server's. */
  readonly apartMs?: (index: number) => number
  /** Verifiers that stop at that time, with whatever they hold. */
  readonly vanishes?: (index: number, ms: number) => boolean
  /** Every so manieth message, or its answer, is lost. */
  readonly loses?: number
}

/** Steps of 5 ms; a message takes 5 ms each way; a request that no lease decides is asked about at the server. */
async function simulate(simulation: Simulation): Promise<Simulated> {
  const { verifiers, seconds, rate, apartMs = () => 0, vanishes = () => false, loses = 0 } = simulation
  const clock = new StillClock()
  const counters = new LocalCounters({ clock, sinceRsn: 0 })
  let messages = 0
  let due: { atMs: number; run: () => Promise<void> | void }[] = []
  const later = (afterMs: number, run: () => Promise<void> | void) =>
    due.push({ atMs: clock.ms + afterMs, run })
  const holders = Array.from({ length: verifiers }, (_, index) => {
    const nowMs = () => clock.ms + apartMs(index)
    const send = (wishes: readonly LeaseWish[]) =>
      new Promise<readonly LeaseAnswer[]>((resolve, reject) => {
        const lost = loses > 0 && ++messages % loses === 0 ? messages % (2 * loses) : -1
        if (lost > 0) {
          later(50, () => reject(new Error('lost on the way')))
          return
        }
        later(5, async () => {
          const [wish] = wishes as [LeaseWish]
          const leased = await leaseRate(counters, BOUND, { ...wish, id: wish.lease, holder: `v${index}` })
          if (lost === 0) later(50, () => reject(new Error('lost on the way back')))
          else
            later(5, () =>
              resolve([
                leased
                  ? { bucket: BOUND.bucket, strict: false, lease: leased.id, granted: leased.granted }
                  : { bucket: BOUND.bucket, strict: true },
              ]),
            )
        })
      })
    return new LeaseHolder({ send, nowMs })
  })
  const admitted: number[] = []
  let asked = 0
  const owed = holders.map(() => 0)
  const startMs = clock.ms
  for (let step = 0; step < seconds * 200; step++) {
    clock.ms += 5
    const ready = due.filter(({ atMs }) => atMs <= clock.ms)
    due = due.filter(({ atMs }) => atMs > clock.ms)
    for (const { run } of ready) await run()
    await new Promise((resolve) => setImmediate(resolve))
    for (const [index, holder] of holders.entries()) {
      if (vanishes(index, clock.ms - startMs)) continue
      owed[index] = (owed[index] as number) + rate(index, clock.ms - startMs) / 200
      while ((owed[index] as number) >= 1) {
        owed[index] = (owed[index] as number) - 1
        const { kind } = holder.decide(LIMITS, 1)
        if (kind === 'ask') asked++
        if (kind === 'admitted' || (kind === 'ask' && counters.take([BOUND], 1).ok)) admitted.push(clock.ms)
      }
      // Verifiers started at different moments.
      if ((step + index * 7) % 40 === 0) void holder.renew()
    }
  }
  return { admitted, ms: clock.ms - startMs, asked }
}

function assertNoWindowIsAbove({ admitted }: Simulated): void {
  const { burst, limit } = BOUND.limit
  // Kadane over (1 − rate · gap): the worst window of all, whatever its length.
  let level = 0
  let worst = 0
  let previous = admitted[0] ?? 0
  for (const at of admitted) {
    level = Math.max(0, level - ((at - previous) * limit) / 1000) + 1
    worst = Math.max(worst, level)
    previous = at
  }
  assert.ok(worst <= burst + 1e-6, `${worst} above the rate in some window; the burst is ${burst}`)
}

function usedOf({ admitted, ms }: Simulated): number {
  return admitted.length / (BOUND.limit.burst + (BOUND.limit.limit * ms) / 1000)
}

describe('leases on a rate', () => {
  it('of 20 verifiers with a skewed load admit at most the limit in any window, and 95 % of it in all', async () => {
    // One verifier has half of the load, the next a quarter, …; every three seconds another one is first.
    const simulated = await simulate({
      verifiers: 20,
      seconds: 20,
      rate: (index, ms) => 2_500 / 2 ** (((index + Math.floor(ms / 3_000)) % 20) + 1) + 10,
    })
    assertNoWindowIsAbove(simulated)
    assert.ok(usedOf(simulated) >= 0.95, `${(100 * usedOf(simulated)).toFixed(1)} %`)
    assert.ok(simulated.asked < simulated.admitted.length / 50, `${simulated.asked} were asked about`)
  })

  it('hold when all come at once after a lull, with slices still out', async () => {
    const simulated = await simulate({
      verifiers: 20,
      seconds: 20,
      // Every 1.9 s nearly nothing for 0.9 s: less than it takes to give slices back.
      rate: (_, ms) => (ms % 1_900 < 900 ? 2 : 900),
    })
    assertNoWindowIsAbove(simulated)
  })

  it('hold while clocks are five minutes apart', async () => {
    const simulated = await simulate({
      verifiers: 20,
      seconds: 10,
      rate: (index) => (index < 4 ? 500 : 20),
      apartMs: (index) => (index % 2 === 0 ? 300_000 : -300_000),
    })
    assertNoWindowIsAbove(simulated)
    assert.ok(usedOf(simulated) >= 0.95, `${(100 * usedOf(simulated)).toFixed(1)} %`)
  })

  it('hold when verifiers vanish with their leases, which are spent and soon over', async () => {
    const simulated = await simulate({
      verifiers: 20,
      seconds: 12,
      rate: (index) => (index < 10 ? 300 : 50),
      vanishes: (index, ms) => index < 3 && ms > 3_000,
    })
    assertNoWindowIsAbove(simulated)
    assert.ok(usedOf(simulated) >= 0.9, `${(100 * usedOf(simulated)).toFixed(1)} %`)
  })

  it('hold when messages and answers are lost', async () => {
    const simulated = await simulate({ verifiers: 10, seconds: 10, rate: () => 250, loses: 5 })
    assertNoWindowIsAbove(simulated)
    assert.ok(usedOf(simulated) >= 0.6, `${(100 * usedOf(simulated)).toFixed(1)} %`)
  })

  it('are refused where the rate is too small for the number of holders', async () => {
    const clock = new StillClock()
    const counters = new LocalCounters({ clock, sinceRsn: 0 })
    const small = { ...BOUND, limit: { ...BOUND.limit, limit: 5, burst: 5 } }
    const ask = (holder: string) =>
      leaseRate(counters, small, { holder, id: undefined, granted: 0, spent: 0, returned: 0, want: 1 })
    assert.ok(await ask('a'))
    assert.ok(await ask('b'))
    assert.equal(await ask('c'), undefined)
    // What c was refused is still there, for whoever asks.
    assert.equal(counters.take([small], 3).ok, true)
    assert.equal(counters.take([small], 1).ok, false)
  })
})

describe('leases in Valkey', { skip: WITHOUT_VALKEY }, () => {
  let valkey: TestValkey
  let counters: ValkeyCounters
  before(async () => {
    valkey = await startValkey()
    counters = new ValkeyCounters({ url: valkey.url, position: () => 0, onChange: () => {} })
    await counters.connect()
  })
  after(async () => {
    counters.close()
    await valkey.stop()
  })

  it('follow the rules that they follow in one process', async () => {
    const bound = {
      ...BOUND,
      bucket: 'key:v:r',
      limit: { ...BOUND.limit, limit: 1, windowSeconds: 86_400, burst: 100 },
    }
    const local = new LocalCounters({ clock: new StillClock(), sinceRsn: 0 })
    const steps = [
      { holder: 'a', granted: 0, spent: 0, returned: 0, want: 40 },
      { holder: 'b', granted: 0, spent: 0, returned: 0, want: 100 },
      { holder: 'a', granted: 40, spent: 10, returned: 20, want: 0 },
      // The same again: it was sent twice.
      { holder: 'a', granted: 40, spent: 10, returned: 20, want: 0 },
      { holder: 'a', granted: 40, spent: 15, returned: 20, want: 5 },
      // The answer before was lost: its five are spent.
      { holder: 'a', granted: 40, spent: 18, returned: 22, want: 0 },
      { holder: 'b', granted: 60, spent: 60, returned: 0, want: 10 },
    ]
    const ids = { local: new Map<string, string>(), valkey: new Map<string, string>() }
    for (const { holder, ...terms } of steps) {
      const [a, b] = [
        local.lease(bound, { holder, id: ids.local.get(holder), ...terms }),
        await counters.lease(bound, { holder, id: ids.valkey.get(holder), ...terms }),
      ]
      ids.local.set(holder, a.id)
      ids.valkey.set(holder, b.id)
      const seen = ({ granted, level, holders }: typeof a) => ({ granted, level: Math.floor(level), holders })
      assert.deepEqual(seen(b), seen(a), JSON.stringify(terms))
    }
  })
})

onBothDatabases('leases over the API', (fresh) => {
  let node: Node
  let api: Json
  before(async () => {
    node = await openNode(await fresh())
    api = await newResource(node)
  })
  after(() => node.close())

  const lease = (bucket: string, want: number, key?: string, more: Json = {}) =>
    node.done(
      'POST',
      '/v1/limits/leases',
      { holder: 'h1', buckets: [{ bucket, granted: 0, spent: 0, returned: 0, want, ...more }] },
      key,
    )

  it('takes slices of rates and quotas out of what is left, and takes them back', async () => {
    const key = await issueKey(node, api)
    await node.done('PUT', `/v1/limits/key/${key.id}`, {
      limits: [
        { type: 'rate', name: 'r', limit: 10, window_seconds: 86_400, burst: 10, enforcement: 'leased' },
        { type: 'quota', name: 'q', limit: 20, period: 'day', enforcement: 'leased' },
      ],
    })
    const [rate, quota] = [`key:${key.id}:r`, `key:${key.id}:q`]
    const remaining = async () =>
      (await node.done('POST', '/v1/verify', { credential: key.key, cost: 0 })).limits.map(
        (one: Json) => one.remaining,
      )
    const answers: Json[] = []
    for (const bucket of [rate, quota]) answers.push((await lease(bucket, 4)).buckets[0])
    assert.deepEqual(
      answers.map(({ strict, granted }) => ({ strict, granted })),
      [
        { strict: false, granted: 4 },
        { strict: false, granted: 4 },
      ],
    )
    assert.deepEqual(await remaining(), [6, 16])
    for (const [index, bucket] of [rate, quota].entries())
      await lease(bucket, 0, undefined, { lease: answers[index].lease, granted: 4, spent: 1, returned: 3 })
    assert.deepEqual(await remaining(), [9, 19])
    // Charged out of the lease of the rate: the quota alone is charged here.
    const reserved = await node.done('POST', '/v1/verify', { credential: key.key, reserved: [rate] })
    assert.deepEqual(
      reserved.limits.map((one: Json) => [one.name, one.remaining]),
      [['q', 18]],
    )
  })

  it("leases nothing that is strict, unknown, or out of the caller's reach", async () => {
    const [mine, other] = [await newTenant(node), await newTenant(node)]
    const verifier = await newOperator(node, ['verify'], { tenant: mine.id })
    const limits = [
      { type: 'rate', name: 'r', limit: 10, window_seconds: 60, enforcement: 'leased' },
      { type: 'rate', name: 'exact', limit: 10, window_seconds: 60 },
    ]
    for (const tenant of [mine, other])
      await node.done('PUT', `/v1/limits/owner/acme?tenant=${tenant.id}`, { limits })
    const strict = async (bucket: string) => (await lease(bucket, 1, verifier.key)).buckets[0].strict
    assert.equal(await strict(`owner:${mine.id}/acme:r`), false)
    assert.equal(await strict(`owner:${mine.id}/acme:exact`), true)
    assert.equal(await strict(`owner:${other.id}/acme:r`), true)
    assert.equal(await strict(`owner:${mine.id}/nobody:r`), true)
    assert.equal(await strict('rubbish'), true)
    assert.equal((await node.request('POST', '/v1/limits/leases', { key: null, body: {} })).status, 401)
  })
})
