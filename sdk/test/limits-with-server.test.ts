/** Limits of verifiers over the real server: whoever verifies locally is counted all the same. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshSqlite, type TestDatabase } from '../../server/test/databases.ts'
import {
  API,
  basic,
  type Json,
  newClient,
  newResource,
  openOAuthServer,
  type OAuthServer,
} from '../../server/test/oauth-server.ts'
import { type Clock, systemClock } from '../src/clock.ts'
import { createVerifier, type Result, type Verifier } from '../src/index.ts'
import { parseOptions } from '../src/options.ts'
import { buildVerifier } from '../src/verifier.ts'

let database: TestDatabase
let server: OAuthServer
let resource: Json
const open: Verifier[] = []

before(async () => {
  database = freshSqlite()
  server = await openOAuthServer(database, {
    env: { POSTERN_CREDENTIAL_RATE: '0' },
  })
  resource = await newResource(server)
})
after(async () => {
  await Promise.all(open.map((verifier) => verifier.close()))
  await server.close()
  await database.drop()
})

const codeOf = (result: Result): string => (result.valid ? 'valid' : result.code)
const options = () => ({ server: server.issuer, credential: server.operatorKey, resource: API })

async function liveVerifier(clock: Clock = systemClock): Promise<Verifier> {
  const verifier =
    clock === systemClock ? createVerifier(options()) : buildVerifier(parseOptions(options()), clock)
  open.push(verifier)
  assert.ok(await verifier.ready())
  return verifier
}

interface Holder {
  readonly client: Json
  readonly key: Json
  ofClient(): Promise<string>
  ofKey(): Promise<string>
}

async function holder(): Promise<Holder> {
  const client = await newClient(server, { resources: [{ resource: API, scopes: ['orders:read'] }] })
  const key = await server.manage('POST', '/v1/keys', {
    name: 'a key',
    owner: `customer-${crypto.randomUUID()}`,
    resource: API,
    scopes: ['orders:read'],
  })
  const token = async (fields: Record<string, string>, headers = {}): Promise<string> => {
    const { status, body } = await server.form('/token', fields, headers)
    assert.equal(status, 200, JSON.stringify(body))
    return body.access_token as string
  }
  return {
    client,
    key,
    ofClient: () => token({ grant_type: 'client_credentials' }, basic(client.id, client.client_secret)),
    ofKey: () =>
      token({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        client_id: 'api-key',
        subject_token: key.key,
        subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
      }),
  }
}

const three = (enforcement = 'strict') => [
  { type: 'rate', name: 'r', limit: 3, window_seconds: 86_400, burst: 3, enforcement },
]
const put = (target: string, body: Json) => server.manage('PUT', `/v1/limits/${target}`, body)

async function verdicts(verifier: Verifier, credential: string, howMany: number): Promise<string[]> {
  const codes: string[] = []
  for (let count = 0; count < howMany; count++) codes.push(codeOf(await verifier.verify(credential)))
  return codes
}
const EXACTLY_THREE = ['valid', 'valid', 'valid', 'rate_limited', 'rate_limited']

async function eventually(isTrue: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 300; round++) {
    if (await isTrue()) return
    await sleep(10)
  }
  assert.fail('It did not come to be.')
}

const TARGETS: readonly (readonly [string, (of: Holder) => string, 'ofClient' | 'ofKey'])[] = [
  ['client', ({ client }) => `client/${client.id}`, 'ofClient'],
  ['client as a subject', ({ client }) => `owner/${client.id}`, 'ofClient'],
  ['tenant', ({ client }) => `tenant/${client.tenant}`, 'ofClient'],
  ['resource', () => `resource/${resource.id}`, 'ofClient'],
  ['key that it was exchanged from', ({ key }) => `key/${key.id}`, 'ofKey'],
  ['owner of the key', ({ key }) => `owner/${key.owner}`, 'ofKey'],
]

for (const [what, targetOf, kind] of TARGETS) {
  test(`a token is charged to its ${what}, though the verifier could judge it alone`, async () => {
    const of = await holder()
    const verifier = await liveVerifier()
    assert.ok(!(await verifier.verify(await of[kind]())).valid === false)
    await put(targetOf(of), { limits: three() })
    const token = await of[kind]()
    assert.deepEqual(await verdicts(verifier, token, 5), EXACTLY_THREE)
    await server.ask('DELETE', `/v1/limits/${targetOf(of)}`)
  })

  test(`a token from before its ${what} was limited is charged from the row on`, async () => {
    const of = await holder()
    const verifier = await liveVerifier()
    const token = await of[kind]()
    assert.equal(codeOf(await verifier.verify(token)), 'valid')
    assert.ok(!(verifier.verify(token) instanceof Promise))
    await put(targetOf(of), { limits: three() })
    await eventually(async () => codeOf(await verifier.verify(token)) === 'rate_limited')
    assert.equal(codeOf(await verifier.verify(token)), 'rate_limited')
    await server.ask('DELETE', `/v1/limits/${targetOf(of)}`)
    await eventually(async () => codeOf(await verifier.verify(token)) === 'valid')
  })
}

test("a plan's first limits reach a token, a key, and whoever got the plan later", async () => {
  const of = await holder()
  const verifier = await liveVerifier()
  const plan = await server.manage('POST', '/v1/plans', { name: 'soon', limits: [] })
  const before = await of.ofClient()
  await put(`client/${of.client.id}`, { plan: plan.id })
  await put(`key/${of.key.id}`, { plan: plan.id })
  const held = [before, await of.ofClient(), of.key.key as string]
  for (const credential of held)
    await eventually(async () => {
      const result = await verifier.verify(credential)
      return result.valid && result.plan === 'soon'
    })
  // They are answered here now, by what was kept of them.
  for (const credential of held) assert.ok(!(verifier.verify(credential) instanceof Promise))
  await server.manage('PATCH', `/v1/plans/${plan.id}`, { limits: three() })
  for (const credential of held)
    await eventually(async () => codeOf(await verifier.verify(credential)) === 'rate_limited')
})

test('leased limits are decided with no question, and what was not used is given back', async () => {
  const of = await holder()
  await put(`key/${of.key.id}`, {
    limits: [
      { type: 'rate', name: 'a', limit: 100_000, window_seconds: 1, burst: 100_000, enforcement: 'leased' },
      { type: 'quota', name: 'b', limit: 1_000_000, period: 'month', enforcement: 'leased' },
    ],
  })
  const verifier = await liveVerifier()
  const credential = of.key.key as string
  await eventually(async () => {
    const result = verifier.verify(credential)
    if (result instanceof Promise) await result
    return !(result instanceof Promise)
  })
  const { asked } = verifier.status()
  for (let count = 0; count < 3; count++) {
    const result = verifier.verify(credential)
    if (result instanceof Promise) await result
  }
  assert.equal(verifier.status().asked, asked)
  await verifier.close()
  const { limits } = await server.manage('POST', '/v1/verify', { credential, cost: 0 })
  const left = limits.find(({ name }: Json) => name === 'b').remaining
  assert.ok(left > 1_000_000 - 200, `${left}`)
})

/** Its own clock: five minutes from everybody else's, and monotonic time from anywhere. */
const clockApart = (minutes: number): Clock => ({
  nowMs: () => systemClock.nowMs() + minutes * 60_000,
  monotonicMs: () => systemClock.monotonicMs() + minutes * 60_000 + 1_000_000,
  after: (...about) => systemClock.after(...about),
})

/** The most that any window has above its rate: at most the burst. */
function worstWindow(admittedMs: readonly number[], perSecond: number): number {
  let [level, worst, previous] = [0, 0, admittedMs[0] ?? 0]
  for (const at of admittedMs) {
    level = Math.max(0, level - ((at - previous) * perSecond) / 1000) + 1
    worst = Math.max(worst, level)
    previous = at
  }
  return worst
}

const RATE = 400
const BURST = 400
const WARM_UP_MS = 1_500

interface Load {
  readonly verifiers: number
  readonly ms: number
  readonly clock?: (index: number) => Clock
  /** Requests of a verifier in a second. */
  readonly rate: (index: number) => number
  readonly vanishes?: (index: number, ms: number) => boolean
}

/** When each admitted request was admitted. Every verifier is a connection and a holder of its own. */
async function load({ verifiers, ms, clock, rate, vanishes }: Load): Promise<number[]> {
  const of = await holder()
  const credential = of.key.key as string
  await put(`key/${of.key.id}`, {
    limits: [
      { type: 'rate', name: 'r', limit: RATE, window_seconds: 1, burst: BURST, enforcement: 'leased' },
    ],
  })
  const all: Verifier[] = []
  for (let index = 0; index < verifiers; index++) all.push(await liveVerifier(clock?.(index)))
  const admitted: number[] = []
  const startMs = performance.now()
  const owed = all.map(() => 0)
  const waiting = new Set<Promise<void>>()
  const lost = new Set<number>()
  let previousMs = startMs
  for (let nowMs = startMs; nowMs - startMs < ms; nowMs = performance.now()) {
    for (const [index, verifier] of all.entries()) {
      if (vanishes?.(index, nowMs - startMs)) {
        lost.add(index)
        continue
      }
      owed[index] = (owed[index] as number) + (rate(index) * (nowMs - previousMs)) / 1000
      for (; (owed[index] as number) >= 1; owed[index] = (owed[index] as number) - 1) {
        const result = verifier.verify(credential)
        const settle = (result: Result): void => {
          if (result.valid) admitted.push(performance.now())
        }
        if (result instanceof Promise) {
          const settled: Promise<void> = result.then(settle).finally(() => waiting.delete(settled))
          waiting.add(settled)
        } else settle(result)
      }
    }
    previousMs = nowMs
    await sleep(5)
  }
  await Promise.all(waiting)
  await Promise.all(all.map((verifier, index) => (lost.has(index) ? undefined : verifier.close())))
  return admitted
}

function assertWithin(admitted: readonly number[], leastShare: number): void {
  const worst = worstWindow(admitted, RATE)
  // What the server admitted is seen a moment later here, and may be seen closer together than it was.
  assert.ok(worst <= BURST + RATE * 0.25, `${worst.toFixed(0)} above the rate in some window`)
  // Until then slices find their size, and the burst is not used up.
  const [first, last] = [admitted[0] as number, admitted.at(-1) as number]
  const late = admitted.filter((at) => at > first + WARM_UP_MS)
  const share = late.length / ((RATE * (last - first - WARM_UP_MS)) / 1000)
  assert.ok(share >= leastShare, `${(100 * share).toFixed(1)} % of the rate were admitted`)
}

test('20 verifiers with a skewed load admit no more than the limit, and 95 % of it', async (t) => {
  const admitted = await load({ verifiers: 20, ms: 6_000, rate: (index) => 600 / 2 ** index + 10 })
  t.diagnostic(`${admitted.length} admitted, worst window ${worstWindow(admitted, RATE).toFixed(0)}`)
  assertWithin(admitted, 0.95)
})

test('the limit holds for verifiers whose clocks are five minutes apart', async () => {
  const clock = (index: number) => clockApart(index % 2 === 0 ? 5 : -5)
  assertWithin(await load({ verifiers: 6, ms: 5_000, clock, rate: () => 150 }), 0.9)
})

test('verifiers that vanish with their leases cost the limit those, and no more', async (t) => {
  const admitted = await load({
    verifiers: 6,
    ms: 4_000,
    rate: () => 200,
    vanishes: (index, ms) => index < 2 && ms > 1_500,
  })
  t.diagnostic(`${admitted.length} admitted`)
  assertWithin(admitted, 0.8)
})

test('what was decided here is counted by the server, each request once', async () => {
  const of = await holder()
  const verifier = await liveVerifier()
  const credential = of.key.key as string
  const route = 'GET /orders/:id'
  for (let count = 0; count < 20; count++)
    await verifier.verify(credential, { route, scopes: 'orders:read', ip: '203.0.113.9' })
  await verifier.verify(credential, { route, scopes: 'orders:write' })
  await verifier.close()
  const count = async () => {
    const { data } = await server.manage('GET', `/v1/usage?group_by=route,result&credential=${of.key.id}`)
    return data.map((row: Json) => [row.route, row.result, row.count])
  }
  await eventually(async () => (await count()).length === 2)
  assert.deepEqual(await count(), [
    [route, 'valid', 20],
    [route, 'insufficient_scope', 1],
  ])
  const { scopes } = await server.manage('GET', `/v1/usage/keys/${of.key.id}`)
  assert.notEqual(scopes[0].last_used_at, null)
})
