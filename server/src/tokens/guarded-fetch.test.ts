import assert from 'node:assert/strict'
import { after, before, it } from 'node:test'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseCidrs } from '../kernel/index.ts'
import { fetchGuarded, fetchGuardedJson, FetchRefused } from './guarded-fetch.ts'
import { startProvider, type TestProvider } from '../../test/tokens/provider.ts'

let provider: TestProvider
before(async () => {
  provider = await startProvider()
})
after(() => provider.close())

const refused = (url: string, guard: Partial<Parameters<typeof fetchGuardedJson>[1]> = {}) =>
  assert.rejects(fetchGuardedJson(url, { allowLoopback: false, timeoutMs: 1_000, ...guard }), FetchRefused)
const resolvesTo =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address }))

it('fetches from loopback only where that is allowed', async () => {
  const jwks = (await fetchGuardedJson(`${provider.issuer}/jwks`, { allowLoopback: true })) as {
    keys: unknown[]
  }
  assert.equal(jwks.keys.length, 1)
  const before = provider.fetches
  await refused(`${provider.issuer}/jwks`)
  await refused(`${provider.issuer.replace('http:', 'https:')}/jwks`)
  assert.equal(provider.fetches, before)
})

for (const address of [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '198.18.0.1',
  '224.0.0.1',
  '::',
  'fd00::1',
  'fe80::1',
  '::ffff:10.0.0.1',
  '::a9fe:a9fe',
  '64:ff9b::a00:1',
  '2002:a00:1::',
])
  it(`refuses ${address}, by itself and behind a name`, async () => {
    await refused(`https://${address.includes(':') ? `[${address}]` : address}/jwks`, { allowLoopback: true })
    await refused('https://issuer.example/jwks', { resolve: resolvesTo(address), allowLoopback: true })
    await refused('https://issuer.example/jwks', { resolve: resolvesTo('93.184.215.14', address) })
  })

for (const spelling of ['https://2130706433/', 'https://0x7f.1/', 'https://127.1/', 'https://017700000001/'])
  it(`refuses loopback spelt as ${spelling}`, () => refused(spelling))

it('connects to the address that was checked, and asks the name once', async () => {
  let asked = 0
  const port = new URL(provider.issuer).port
  await fetchGuardedJson(`http://issuer.example:${port}/jwks`, {
    allowLoopback: true,
    resolve: async () => [{ address: asked++ === 0 ? '127.0.0.1' : '10.0.0.1' }],
  })
  assert.equal(asked, 1)
})

it('refuses plain http to a public address, other schemes, passwords and nonsense', async () => {
  const resolve = resolvesTo('93.184.215.14')
  await refused('http://issuer.example/jwks', { resolve })
  await refused('http://issuer.example/jwks', { resolve, allowLoopback: true })
  for (const url of [
    'file:///etc/passwd',
    'ftp://x.example',
    'https://a:b@x.example/',
    'https://x.example/#a',
    'x',
    '',
  ])
    await refused(url)
})

it('refuses redirects, other statuses, too many bytes and what is not JSON', async () => {
  const answers = [
    { status: 302, body: '', headers: { location: '/jwks' } },
    { status: 404, body: '{}' },
    { status: 200, body: `"${'x'.repeat(300_000)}"` },
    { status: 200, body: '<html>' },
  ]
  for (const answer of answers) {
    provider.spoiled.set('/spoiled', answer)
    await refused(`${provider.issuer}/spoiled`, { allowLoopback: true })
  }
})

it('reaches a network that was opened by name, over plain http too, and no other, and never a link-local one', async () => {
  const allow = parseCidrs(['127.0.0.0/8', '169.254.0.0/16', 'fe80::/10'])
  const guard = { allowLoopback: false, timeoutMs: 1_000, allow }
  assert.ok(await fetchGuardedJson(`${provider.issuer}/jwks`, guard))
  for (const url of [
    'http://10.0.0.1/',
    'https://10.0.0.1/',
    'http://169.254.169.254/',
    'https://[fe80::1]/',
  ])
    await refused(url, { allow })
  await refused('http://hooks.example/', { allow, resolve: resolvesTo('127.0.0.1', '10.0.0.1') })
  await refused('http://hooks.example/', { allow, resolve: resolvesTo('93.184.215.14') })
})

it('gives up on an answer that dribbles, on one that never begins, and on a name that is never found', async () => {
  const hanging: ServerResponse[] = []
  const server = createServer((request, response) => {
    hanging.push(response)
    if (request.url === '/dribble') setInterval(() => response.write('x'), 20).unref()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const guard = { allowLoopback: true, timeoutMs: 200 }
  for (const path of ['/dribble', '/nothing'])
    await assert.rejects(fetchGuarded(url + path, guard, { method: 'POST', body: '{}' }))
  await assert.rejects(
    fetchGuarded('https://hooks.example/', { ...guard, resolve: () => new Promise(() => {}) }),
    FetchRefused,
  )
  for (const response of hanging) response.destroy()
  server.closeAllConnections()
  server.close()
})

it('reads a long answer no further than it has to, where that is enough', async () => {
  provider.spoiled.set('/long', { status: 200, body: 'x'.repeat(300_000) })
  const guard = { allowLoopback: true, largestBytes: 100, cutLongAnswers: true }
  const { status, text } = await fetchGuarded(`${provider.issuer}/long`, guard)
  assert.deepEqual([status, text.length], [200, 100])
})
