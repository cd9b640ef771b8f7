/**
 * What a verify takes, beside the least that it could: of a credential seen before, one SHA-256 and one look-up; of a new
 * token, one check of its signature. Run with `node sdk/test/hit-path-bench.ts [deny rows]`; prints the median of several
 * rounds.
 */
import { createPublicKey, hash, verify as verifySignature } from 'node:crypto'
import type { Result } from '../src/index.ts'
import { createTestIssuer, settle } from '../src/testing/index.ts'

const TOKENS = 1000
const CALLS = 200_000
const FIRST_CALLS = 500
const ROUNDS = 9

const issuer = await createTestIssuer({ cacheSeconds: 3600 })
const verifier = await issuer.createLiveVerifier()
const denyRows = Number(process.argv[2] ?? 0)
for (let row = 0; row < denyRows; row++) {
  issuer.revoke('token', `tok_of_somebody_${row}`)
  if (row % 1000 === 0) await settle()
}
await settle()

const claims = { anc: ['gra_0000000000000000000001'], gid: 'gra_0000000000000000000001', roles: ['member'] }
const issue = (count: number) =>
  Promise.all(
    Array.from({ length: count }, () =>
      issuer.issueToken({ sub: 'usr_0000000000000000000001', scopes: ['orders:read'], claims }),
    ),
  )
const tokens = (await issue(TOKENS)).map(({ text }) => text)
for (const token of tokens) {
  const result = verifier.verify(token)
  if (result instanceof Promise || !result.valid) throw new Error('A token was not verified here.')
}
const known = new Map(tokens.map((token) => [hash('sha256', token), token]))
const requests = tokens.map((token) => {
  const fields = {
    host: 'api.example.com',
    'user-agent': 'bench/1',
    accept: '*/*',
    authorization: `Bearer ${token}`,
  }
  return { url: '/orders?page=2&sort=-created', headers: fields, rawHeaders: Object.entries(fields).flat() }
})
const options = { scopes: ['orders:read'], ip: '203.0.113.9' }

const AGAIN: Readonly<Record<string, (index: number) => unknown>> = {
  'crypto.hash + Map.get': (index) => known.get(hash('sha256', tokens[index] as string)),
  'verify(credential) again': (index) => verifier.verify(tokens[index] as string, options),
  'verify(request) again': (index) => verifier.verify(requests[index] as (typeof requests)[0], options),
}

const times: Record<string, number[]> = {}
function measure(name: string, calls: number, call: (index: number) => unknown): void {
  const start = performance.now()
  for (let done = 0; done < calls; done++) if (!call(done % TOKENS)) throw new Error(name)
  ;(times[name] ??= []).push(((performance.now() - start) / calls) * 1e6)
}

const { keys } = issuer.feed.jwks as { keys: Record<string, string>[] }
const key = {
  key: createPublicKey({ key: keys[0] as object, format: 'jwk' }),
  dsaEncoding: 'ieee-p1363',
} as const
// Rounds in turn, so that a busy machine is busy for all of them alike.
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, call] of Object.entries(AGAIN)) measure(name, CALLS, call)
  const fresh = (await issue(FIRST_CALLS)).map(({ text }) => text)
  const parts = fresh.map((text) => {
    const dot = text.lastIndexOf('.')
    return [Buffer.from(text.slice(0, dot)), Buffer.from(text.slice(dot + 1), 'base64url')] as const
  })
  measure('crypto.verify', FIRST_CALLS, (index) => {
    const [input, signature] = parts[index] as (typeof parts)[0]
    return verifySignature('sha256', input, key, signature)
  })
  measure(
    'verify(credential) first',
    FIRST_CALLS,
    (index) => (verifier.verify(fresh[index] as string, options) as Result).valid,
  )
}

console.log(
  `${tokens[0]?.length} characters, ${verifier.status().denyRows} deny rows, ${verifier.status().denyBytes} bytes`,
)
const median = (name: string) => times[name]?.sort((a, b) => a - b)[ROUNDS >> 1] ?? Number.NaN
for (const name of Object.keys(times)) {
  const least = median(
    name.includes('first') || name === 'crypto.verify' ? 'crypto.verify' : 'crypto.hash + Map.get',
  )
  console.log(
    `${name.padEnd(26)} ${median(name).toFixed(0).padStart(7)} ns  ${(median(name) / least).toFixed(2)}x`,
  )
}
process.exit()
