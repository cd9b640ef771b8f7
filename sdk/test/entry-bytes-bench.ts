/**
 * What a kept credential takes in memory: the growth of the heap, and of what lies outside of it, for each of many entries
 * after a collection. The texts themselves belong to whoever sent them and are let go before. Run with
 * `node --expose-gc sdk/test/entry-bytes-bench.ts`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { createTestIssuer, type Issued } from '../src/testing/index.ts'

const ENTRIES = 20_000
const AT_ONCE = 500

function usedBytes(): number {
  if (!global.gc) throw new Error('Run it with --expose-gc.')
  for (let turn = 0; turn < 4; turn++) void global.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

type Issue = (index: number) => Promise<Issued> | Issued

async function bytesEach(
  issue: (issuer: Awaited<ReturnType<typeof createTestIssuer>>) => Issue,
): Promise<number> {
  const issuer = await createTestIssuer({ cacheSeconds: 3600 })
  const verifier = await issuer.createLiveVerifier({ cacheEntries: ENTRIES, asksPerSecond: 1_000_000 })
  const make = issue(issuer)
  const fill = async (from: number, to: number) => {
    for (let index = from; index < to; index++) {
      const { text } = await make(index)
      const result = await verifier.verify(text)
      if (!result.valid) throw new Error(result.code)
      if (index % AT_ONCE === 0) await sleep(0)
    }
    issuer.forget()
  }
  await fill(0, 1_000)
  const before = usedBytes()
  await fill(1_000, ENTRIES)
  const grown = usedBytes() - before
  if (verifier.status().cachedCredentials !== ENTRIES) throw new Error('Not all were kept.')
  return grown / (ENTRIES - 1_000)
}

const scopes = ['orders:read', 'orders:write']
const id = (prefix: string, index: number) => `${prefix}_${String(index).padStart(22, '0')}`

/** As the token endpoint makes them for a user who is signed in, each for another. */
const token = await bytesEach((issuer) => (index) => {
  const claims = {
    gid: id('gra', index),
    sid: id('ses', index),
    anc: [id('gra', index), id('ses', index)],
    roles: ['member'],
    acr: 'urn:postern:aal:1',
    amr: ['pwd'],
    auth_time: Math.floor(issuer.clock.nowMs() / 1000),
  }
  return issuer.issueToken({ sub: id('usr', index), scopes, claims })
})
const key = await bytesEach((issuer) => (index) => issuer.issueKey({ sub: `acct_${index}`, scopes }))
console.log(`a token: ${token.toFixed(0)} bytes, a key: ${key.toFixed(0)} bytes`)
process.exit()
