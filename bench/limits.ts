/** What limits cost a decision: three of them here, three leased in the SDK, and Valkey's round trips. */
import { createClient } from '@redis/client'
import { openDeployment } from '../server/src/app.ts'
import { loadConfig } from '../server/src/config.ts'
import type { BoundRate } from '../server/src/limits/bound-limit.ts'
import { createVerifier } from '../sdk/src/index.ts'
import { LeaseHolder } from '../sdk/src/leases.ts'
import { Limits } from '../server/src/limits/index.ts'
import { LocalCounters } from '../server/src/limits/local-counters.ts'
import { Quotas } from '../server/src/limits/quotas.ts'
import { ValkeyCounters } from '../server/src/limits/valkey-counters.ts'
import { systemClock } from '../server/src/kernel/index.ts'
import { startValkey, WITHOUT_VALKEY } from '../server/test/valkey.ts'
import type { Storage } from '../server/src/storage/index.ts'
import type { Bench } from './bench.ts'
import { against, type Line, ratios, spread } from './measure.ts'
import { environment, makeDeployment, RESOURCE, serve } from './postern.ts'

const THREE = ['key', 'owner', 'tenant'].map((on): BoundRate => ({
  bucket: `${on}:bench:r`,
  on: on as BoundRate['on'],
  limit: {
    type: 'rate',
    name: 'r',
    limit: 100_000_000,
    windowSeconds: 1,
    burst: 100_000_000,
    enforcement: 'leased',
  },
  rsn: 0,
}))
const LEASED = THREE.map(({ bucket }) => ({ bucket, enforcement: 'leased' as const }))

export const limits: Bench = {
  name: 'limits',
  about: 'three limits on one decision: in the server, leased, and over Valkey',
  async run({ quick }) {
    const [rounds, each] = quick ? [5, 100_000] : [15, 500_000]
    const nanos = (work: () => void): number[] => {
      const took: number[] = []
      for (let round = -1; round < rounds; round++) {
        const cpu = process.cpuUsage()
        for (let count = 0; count < each; count++) work()
        const { user, system } = process.cpuUsage(cpu)
        if (round >= 0) took.push(((user + system) * 1_000) / each)
      }
      return took
    }
    // No quota is asked about, so nothing is read or written.
    const quotas = new Quotas({} as Storage, systemClock)
    const counters = new LocalCounters({ clock: systemClock, sinceRsn: 0 })
    const decide = new Limits({ counters, quotas })
    const inServer = nanos(() => void decide.decide(THREE, 1))
    const holder = new LeaseHolder({
      send: async (wishes) =>
        wishes.map(({ bucket, granted }) => ({
          bucket,
          strict: false,
          lease: 'one',
          granted: granted + 1_000_000_000,
        })),
      nowMs: () => 0,
    })
    holder.decide(LEASED, 1)
    await holder.renew()
    const leased = nanos(() => void holder.decide(LEASED, 1))
    return [
      ...(await inVerify(quick ? 10 : 30)),
      ...(await inSdk(quick ? 10 : 30)),
      { what: 'three limits in the server, processor time', value: spread(inServer), unit: 'ns' },
      { what: 'three leased limits in the SDK, processor time', value: spread(leased), unit: 'ns' },
      ...(await overValkey(quick)),
    ]
  },
}

const EACH = 20_000

/** The whole of a verify on a known key, from the question to the decision, with and without. */
async function inVerify(rounds: number): Promise<Line[]> {
  const made = await makeDeployment(2)
  const deployment = await openDeployment(loadConfig(environment(made.dataDir, undefined)), { setUp: true })
  const headers = { authorization: `Bearer ${made.operatorKey}` }
  const [free, limited] = made.keys as [string, string]
  const { statusCode } = await deployment.server.inject({
    method: 'PUT',
    url: `/v1/limits/key/${made.keyIds[1]}`,
    headers,
    payload: { limits: ['a', 'b', 'c'].map((name) => ({ type: 'rate', name, limit: 100_000_000 })) },
  })
  if (statusCode !== 200) throw new Error(`The limits were refused with ${statusCode}.`)
  const ask = (credential: string) =>
    deployment.verifier.verify({
      credential,
      resource: RESOURCE,
      scopes: ['orders:read'],
      environment: 'live',
      cost: 1,
      reach: { tenant: null, resources: null },
    })
  const took: Record<string, number[]> = {}
  for (let round = -1; round < rounds; round++)
    for (const credential of [free, limited]) {
      // The feed is read between rounds: a process that is too busy for that vouches for nothing.
      await deployment.feed.catchUp()
      const decision = await ask(credential)
      if (decision.denial) throw new Error(`The key was refused: ${decision.denial.code}.`)
      const cpu = process.cpuUsage()
      for (let count = 0; count < EACH; count++) void ask(credential)
      const { user, system } = process.cpuUsage(cpu)
      if (round >= 0) (took[credential] ??= []).push(((user + system) * 1_000) / EACH)
    }
  await deployment.close()
  made.drop()
  return [
    { what: 'verify without limits, processor time', value: spread(took[free] as number[]), unit: 'ns' },
    { what: 'verify with three, processor time', value: spread(took[limited] as number[]), unit: 'ns' },
  ]
}

const CALLS = 20_000
/** Longer than it takes to renew a lease: each round begins with a slice for all of it. */
const PAUSE_MS = 250
const MOST_WARM_UPS = 20

/** The whole of a verify in a service, live, on a key seen before: without limits, and with three that are leased. */
async function inSdk(rounds: number): Promise<Line[]> {
  const made = await makeDeployment(2)
  const server = await serve(made)
  const url = `http://localhost:${server.port}`
  const [free, limited] = made.keys as [string, string]
  const put = await fetch(`${url}/v1/limits/key/${made.keyIds[1]}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${made.operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      limits: ['a', 'b', 'c'].map((name) => ({
        type: 'rate',
        name,
        limit: 100_000_000,
        burst: 100_000_000,
        enforcement: 'leased',
      })),
    }),
  })
  if (put.status !== 200) throw new Error(`The limits were refused with ${put.status}.`)
  const verifier = createVerifier({ server: url, credential: made.operatorKey, resource: RESOURCE })
  const options = { scopes: ['orders:read'], ip: '203.0.113.7', route: 'GET /orders' }
  /** Undefined when a call was not decided here, and admitted. */
  const round = (key: string): number | undefined => {
    let decided = 0
    const startedMs = performance.now()
    for (let count = 0; count < CALLS; count++)
      if ((verifier.verify(key, options) as { valid?: boolean }).valid === true) decided++
    const nanos = ((performance.now() - startedMs) / CALLS) * 1e6
    return decided === CALLS ? nanos : undefined
  }
  const times: { readonly free: number[]; readonly limited: number[] } = { free: [], limited: [] }
  try {
    if (!(await verifier.ready(10_000))) throw new Error('The verifier is not live.')
    for (const key of [free, limited]) await verifier.verify(key, options)
    for (let left = rounds + MOST_WARM_UPS; left > 0 && times.free.length < rounds; left--) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
      const [without, withThree] = [round(free), round(limited)]
      if (without === undefined || withThree === undefined || left > rounds + MOST_WARM_UPS - 3) continue
      times.free.push(without)
      times.limited.push(withThree)
    }
    if (times.free.length === 0) throw new Error('No round was decided by leases alone.')
  } finally {
    await verifier.close()
    await server.end()
    made.drop()
  }
  return [
    { what: 'verify in the SDK without limits', value: spread(times.free), unit: 'ns' },
    { what: 'verify in the SDK with three leased', value: spread(times.limited), unit: 'ns' },
    against('with three leased to without', ratios(times.limited, times.free), '×', { atMost: 1.5 }),
  ]
}

async function overValkey(quick: boolean): Promise<Line[]> {
  if (WITHOUT_VALKEY) return [{ what: 'over Valkey', value: WITHOUT_VALKEY }]
  const decisions = quick ? 2_000 : 20_000
  const valkey = await startValkey()
  const counters = new ValkeyCounters({ url: valkey.url, position: () => 0, onChange: () => {} })
  await counters.connect()
  const client = await createClient({ url: valkey.url }).connect()
  const commands = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
  await counters.take(THREE, 1)
  const before = await commands()
  const tookMicros: number[] = []
  for (let count = 0; count < decisions; count++) {
    const startedMs = performance.now()
    await counters.take(THREE, 1)
    tookMicros.push((performance.now() - startedMs) * 1000)
  }
  const perDecision = ((await commands()) - before) / decisions
  counters.close()
  client.destroy()
  await valkey.stop()
  return [
    against('round trips to Valkey for a decision', spread([perDecision]), '', { atMost: 1 }),
    { what: 'a decision over Valkey, one after another', value: spread(tookMicros), unit: 'µs' },
  ]
}
