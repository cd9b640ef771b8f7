/**
 * How long a verify of a credential seen before takes, beside the least that it could: one SHA-256 and one look-up.
 * Run with `node sdk/test/hit-path-bench.ts`; prints nanoseconds per call, the median of several rounds.
 */
import { hash } from 'node:crypto'
import { createVerifier } from '../src/index.ts'
import { accepted, aKey, OWN_CREDENTIAL, RESOURCE } from './support/wire.ts'

const KEYS = Array.from({ length: 1000 }, (_, seed) => aKey(seed))
const CALLS = 200_000
const ROUNDS = 9

const verifier = createVerifier({
  server: 'http://localhost',
  credential: OWN_CREDENTIAL,
  resource: RESOURCE,
  cacheSeconds: 3600,
  asksPerSecond: 1_000_000,
  fetch: async () => Response.json(accepted({ reply: { cache_seconds: 3600 } })),
})
for (const key of KEYS) await verifier.verify(key)

const known = new Map(KEYS.map((key) => [hash('sha256', key), key]))
const requests = KEYS.map((key) => {
  const fields = {
    host: 'api.example.com',
    'user-agent': 'bench/1',
    accept: '*/*',
    authorization: `Bearer ${key}`,
  }
  return { url: '/orders?page=2&sort=-created', headers: fields, rawHeaders: Object.entries(fields).flat() }
})
const options = { scopes: ['orders:read'], ip: '203.0.113.9' }

const CASES: Readonly<Record<string, (index: number) => unknown>> = {
  'crypto.hash + Map.get': (index) => known.get(hash('sha256', KEYS[index] as string)),
  'verify(credential)': (index) => verifier.verify(KEYS[index] as string, options),
  'verify(request)': (index) => verifier.verify(requests[index] as (typeof requests)[0], options),
}

const times: Record<string, number[]> = {}
// Rounds in turn, so that a busy machine is busy for all of them alike.
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of Object.entries(CASES)) {
    const start = performance.now()
    for (let done = 0; done < CALLS; done++) if (call(done % KEYS.length) === undefined) throw new Error(name)
    const perCallNs = ((performance.now() - start) / CALLS) * 1e6
    ;(times[name] ??= []).push(perCallNs)
  }
}

const medians = Object.entries(times).map(
  ([name, all]) => [name, all.sort((a, b) => a - b)[ROUNDS >> 1] as number] as const,
)
const least = medians[0]?.[1] ?? Number.NaN
for (const [name, ns] of medians)
  console.log(`${name.padEnd(24)} ${ns.toFixed(0).padStart(6)} ns  ${(ns / least).toFixed(2)}x`)
