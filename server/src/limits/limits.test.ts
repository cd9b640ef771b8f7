/** Limits on the server's own endpoints: a bucket admits its burst and its rate, by address and by credential. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { freshSqlite } from '../../test/databases.ts'
import { newOperator, openNode, TestClock } from '../../test/deployment.ts'
import { createAdmit, TokenBuckets } from './index.ts'

class FrozenClock extends TestClock {
  #atMs = 0
  override monotonicMs(): number {
    return this.#atMs
  }
  override advanceMonotonic(ms: number): void {
    this.#atMs += ms
  }
}

it('admits the burst at once, then the rate, and says how long to wait', () => {
  const clock = new FrozenClock()
  const buckets = new TokenBuckets({ perSecond: 2, burst: 3 }, clock)
  assert.deepEqual(
    [1, 2, 3].map(() => buckets.take('a')),
    [0, 0, 0],
  )
  assert.equal(buckets.take('a'), 1)
  assert.equal(buckets.take('b'), 0)
  clock.advanceMonotonic(500)
  assert.deepEqual([buckets.take('a'), buckets.take('a')], [0, 1])
  clock.advanceMonotonic(3_600_000)
  assert.deepEqual(
    [1, 2, 3, 4].map(() => buckets.take('a')),
    [0, 0, 0, 1],
  )
})

it('never admits more than burst + rate · time in any window', () => {
  const clock = new FrozenClock()
  const buckets = new TokenBuckets({ perSecond: 10, burst: 5 }, clock)
  const admitted: number[] = []
  for (let step = 0; step < 2_000; step++) {
    if (buckets.take('a') === 0) admitted.push(clock.monotonicMs())
    clock.advanceMonotonic(7)
  }
  for (const [index, from] of admitted.entries())
    for (const window of [100, 1_000, 5_000]) {
      const inWindow = admitted.slice(index).filter((at) => at <= from + window).length
      assert.ok(inWindow <= 5 + (10 * window) / 1_000 + 1e-6, `${inWindow} in ${window} ms`)
    }
})

it('stays bounded under a flood of names, and still holds back whoever asks on', () => {
  const clock = new FrozenClock()
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, clock)
  for (let count = 0; count < 250_000; count++) buckets.take(`address ${count}`)
  assert.equal(buckets.take('late'), 0)
  assert.equal(buckets.take('late'), 1)
})

it('counts an IPv6 /64 as one, and an IPv4 address and its mapped form as one', () => {
  const rate = { perSecond: 1, burst: 1 }
  const admit = createAdmit(
    { address: rate, credential: rate, signIn: { perSecond: 0, burst: 1 } },
    new FrozenClock(),
  )
  const asks = (ip: string, callerId?: string): string | undefined =>
    admit({ ip, route: '/', ...(callerId !== undefined && { callerId }) })?.code
  assert.equal(asks('2001:db8:0:1::1'), undefined)
  assert.equal(asks('2001:db8:0:1:ffff::2'), 'rate_limited')
  assert.equal(asks('2001:db8:0:2::1'), undefined)
  assert.equal(asks('192.0.2.1'), undefined)
  assert.equal(asks('::ffff:192.0.2.1'), 'rate_limited')
  assert.equal(asks('192.0.2.2'), undefined)
  assert.equal(asks('192.0.2.1', 'key_1'), undefined)
  assert.equal(asks('198.51.100.1', 'key_1'), 'rate_limited')
})

it('holds an address back sooner where people sign in and clients get tokens, and nowhere else', () => {
  const wide = { perSecond: 1, burst: 100 }
  const admit = createAdmit(
    { address: wide, credential: wide, signIn: { perSecond: 1, burst: 2 } },
    new FrozenClock(),
  )
  const asks = (route: string, ip = '192.0.2.1'): string | undefined => admit({ ip, route })?.code
  assert.equal(asks('/token'), undefined)
  // One bucket for all of them, under an issuer with a path as well.
  assert.equal(asks('/auth/device/authorize'), undefined)
  for (const route of ['/sign-in', '/token', '/par', '/register', '/auth/interaction/:uid'])
    assert.equal(asks(route), 'rate_limited', route)
  for (const route of ['/jwks', '/v1/keys', '/userinfo', '/v1/tokens', '/introspect'])
    assert.equal(asks(route), undefined, route)
  assert.equal(asks('/sign-in', '192.0.2.2'), undefined)
})

it('answers 429 with Retry-After over HTTP, by address and by credential', async () => {
  const database = freshSqlite()
  const node = await openNode(database, {
    env: {
      POSTERN_ADDRESS_RATE: '1',
      POSTERN_ADDRESS_BURST: '20',
      POSTERN_CREDENTIAL_RATE: '1',
      POSTERN_CREDENTIAL_BURST: '5',
    },
  })
  const statuses = async (howMany: number, ask: (index: number) => Promise<{ status: number }>) =>
    (await Promise.all(Array.from({ length: howMany }, (_, index) => ask(index)))).map(({ status }) => status)

  const byAddress = await statuses(30, () =>
    node.request('GET', '/v1/keys', { key: 'rubbish', ip: '198.51.100.1' }),
  )
  assert.equal(byAddress.filter((status) => status === 401).length, 20)
  assert.equal(byAddress.filter((status) => status === 429).length, 10)
  const limited = await node.request('GET', '/v1/keys', { key: 'rubbish', ip: '198.51.100.1' })
  assert.equal(limited.body.code, 'rate_limited')
  assert.ok(Number(limited.headers['retry-after']) >= 1)
  assert.equal((await node.request('GET', '/v1/keys', { key: 'rubbish', ip: '198.51.100.2' })).status, 401)

  const operator = await newOperator(node, ['keys:read'])
  const byCredential = await statuses(8, (index) =>
    node.request('GET', '/v1/keys', { key: operator.key, ip: `203.0.113.${index}` }),
  )
  assert.equal(byCredential.filter((status) => status === 429).length, 3)
  await node.close()
  await database.drop()
})

it('answers 429 at the token endpoint and the sign-in page, whatever is wrong with the request besides', async () => {
  const database = freshSqlite()
  const node = await openNode(database, { env: { POSTERN_SIGN_IN_RATE: '1', POSTERN_SIGN_IN_BURST: '3' } })
  // So many at once that the rate does not matter, however slow the machine.
  const limited = async (ask: () => Promise<{ status: number }>): Promise<number> =>
    (await Promise.all(Array.from({ length: 60 }, ask))).filter(({ status }) => status === 429).length
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const byToken = await limited(() =>
    node.request('POST', '/token', { key: null, body: 'grant_type=nonsense', headers }),
  )
  assert.ok(byToken > 0 && byToken <= 57, `${byToken} of 60`)
  assert.ok((await limited(() => node.request('GET', '/sign-in', { key: null }))) > 0)
  assert.equal((await node.request('GET', '/jwks', { key: null })).status, 200)
  await node.close()
  await database.drop()
})
