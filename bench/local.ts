/**
 * Verifying in the service's own process: a credential seen before, and a token at first sight, beside the least that
 * either could cost and beside the libraries that services use today. The verifier is connected to a real server and
 * checks revocation each time; the libraries check none.
 */
import { createPublicKey, hash, type KeyObject, verify as verifySignature } from 'node:crypto'
import { createVerifier as createFastJwt } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import { createVerifier, type Verifier } from '../sdk/src/index.ts'
import type { Bench } from './bench.ts'
import { against, type Line, ratios, spread } from './measure.ts'
import { mintTokens } from './minted-tokens.ts'
import { makeDeployment, RESOURCE, serve } from './postern.ts'

type Call = (index: number) => unknown

/** Nanoseconds for a call, one value a round; each round asks every case in turn. */
type Times = Record<string, number[]>

/** Calls that answer promises are awaited one by one, as a route does. */
interface Case {
  readonly name: string
  readonly calls: number
  readonly call: Call
  readonly isAsync?: boolean
}

async function measure(cases: readonly Case[], rounds: number): Promise<Times> {
  const times: Times = Object.fromEntries(cases.map(({ name }) => [name, []]))
  for (let round = -1; round < rounds; round++)
    for (const { name, calls, call, isAsync } of cases) {
      // The feed's heartbeats are read between the rounds, as they are between a service's requests.
      await new Promise((resolve) => setTimeout(resolve, 20))
      const startedMs = performance.now()
      if (isAsync) for (let index = 0; index < calls; index++) await call(index)
      else for (let index = 0; index < calls; index++) call(index)
      const perCall = ((performance.now() - startedMs) / calls) * 1e6
      if (round >= 0) times[name]?.push(perCall)
    }
  return times
}

export const local: Bench = {
  name: 'local',
  about:
    'verify in the service itself, revocation included, against bare hashing, crypto.verify and JWT libraries',
  async run({ quick }) {
    const rounds = quick ? 5 : 11
    const fresh = quick ? 300 : 1_000
    const deployment = await makeDeployment(1)
    const server = await serve(deployment)
    const issuer = `http://localhost:${server.port}`
    const firsts = (rounds + 1) * fresh
    const { tokens } = await mintTokens(deployment, { issuer, count: firsts + 1_000 })
    const verifier = createVerifier({
      server: issuer,
      credential: deployment.operatorKey,
      resource: RESOURCE,
      cacheEntries: 20_000,
    })
    try {
      if (!(await verifier.ready(10_000))) throw new Error('The verifier is not live.')
      const key = await publicKeyOf(issuer)
      const known = tokens.slice(0, 1_000)
      const unseen = tokens.slice(1_000)
      return [
        ...(await repeated(verifier, known, deployment.keys[0] as string, key, rounds)),
        ...(await first(verifier, unseen, key, { rounds, fresh })),
      ]
    } finally {
      verifier.close()
      await server.end()
      deployment.drop()
    }
  },
}

async function repeated(
  verifier: Verifier,
  tokens: readonly string[],
  apiKey: string,
  key: KeyObject,
  rounds: number,
): Promise<Line[]> {
  const token = tokens[0] as string
  const options = { scopes: ['orders:read'], ip: '203.0.113.7' }
  for (const credential of [...tokens, apiKey])
    if (!(await verifier.verify(credential, options)).valid) throw new Error('A good credential was refused.')
  const pem = key.export({ type: 'spki', format: 'pem' }) as string
  const cached = createFastJwt({ key: pem, cache: true, allowedAud: RESOURCE })
  const digests = new Map([...tokens, apiKey].map((text) => [hash('sha256', text), text]))
  const least: Call = () => digests.get(hash('sha256', token)) ?? fail()
  const accepted =
    (credential: string): Call =>
    () => {
      // A value, not a promise: a route that waits for nothing goes on in the same tick.
      if ((verifier.verify(credential, options) as { valid: boolean }).valid !== true) fail()
    }
  const inTurn: Call = (index) => {
    const credential = tokens[index % tokens.length] as string
    if ((verifier.verify(credential, options) as { valid: boolean }).valid !== true) fail()
  }
  const times = await measure(
    [
      { name: 'least', calls: 100_000, call: least },
      {
        name: 'least in turn',
        calls: 100_000,
        call: (index) => digests.get(hash('sha256', tokens[index % tokens.length] as string)) ?? fail(),
      },
      { name: 'token', calls: 100_000, call: accepted(token) },
      { name: 'tokens in turn', calls: 100_000, call: inTurn },
      { name: 'key', calls: 100_000, call: accepted(apiKey) },
      { name: 'least key', calls: 100_000, call: () => digests.get(hash('sha256', apiKey)) ?? fail() },
      { name: 'fast-jwt', calls: 100_000, call: () => cached(token) },
      {
        name: 'jose',
        calls: 1_000,
        call: () => jwtVerify(token, key, { audience: RESOURCE }),
        isAsync: true,
      },
      {
        name: 'jsonwebtoken',
        calls: 1_000,
        call: () => jsonwebtoken.verify(token, pem, { audience: RESOURCE, algorithms: ['ES256'] }),
      },
    ],
    rounds,
  )
  const of = (name: string): number[] => times[name] as number[]
  return [
    { what: `the token's length`, value: token.length, unit: 'bytes' },
    { what: 'SHA-256 and Map.get', value: spread(of('least')), unit: 'ns' },
    { what: 'repeated verify, token', value: spread(of('token')), unit: 'ns' },
    against('token / SHA-256 and Map.get', ratios(of('token'), of('least')), '×', { atMost: 1.5 }),
    against('1,000 tokens in turn / the same', ratios(of('tokens in turn'), of('least in turn')), '×', {
      atMost: 1.5,
    }),
    { what: 'repeated verify, API key', value: spread(of('key')), unit: 'ns' },
    against('key / SHA-256 and Map.get of the token', ratios(of('key'), of('least')), '×', { atMost: 1.5 }),
    { what: 'key / the same of the key itself', value: ratios(of('key'), of('least key')), unit: '×' },
    against('fast-jwt with its cache / token', ratios(of('fast-jwt'), of('token')), '×', { atLeast: 2 }),
    against('jose.jwtVerify / token', ratios(of('jose'), of('token')), '×', { atLeast: 80 }),
    against('jsonwebtoken / token', ratios(of('jsonwebtoken'), of('token')), '×', { atLeast: 40 }),
  ]
}

/** Each token once: nothing about it is known, but the key that signed it is. */
async function first(
  verifier: Verifier,
  tokens: readonly string[],
  key: KeyObject,
  { rounds, fresh }: { rounds: number; fresh: number },
): Promise<Line[]> {
  let next = 0
  let bareNext = 0
  const parts = tokens.map((token) => {
    const dot = token.lastIndexOf('.')
    return {
      input: Buffer.from(token.slice(0, dot)),
      signature: Buffer.from(token.slice(dot + 1), 'base64url'),
    }
  })
  const options = { scopes: ['orders:read'] }
  const times = await measure(
    [
      {
        name: 'bare',
        calls: fresh,
        call: () => {
          const { input, signature } = parts[bareNext++ % parts.length] as (typeof parts)[0]
          if (!verifySignature('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature)) fail()
        },
      },
      {
        name: 'first',
        calls: fresh,
        call: () => {
          const result = verifier.verify(tokens[next++] as string, options) as { valid: boolean }
          if (result.valid !== true) fail(result, verifier)
        },
      },
    ],
    rounds,
  )
  const of = (name: string): number[] => times[name] as number[]
  return [
    { what: 'crypto.verify, ES256', value: spread(of('bare').map((ns) => ns / 1000)), unit: 'µs' },
    { what: 'first verify of a token', value: spread(of('first').map((ns) => ns / 1000)), unit: 'µs' },
    against('first verify / crypto.verify', ratios(of('first'), of('bare')), '×', { atMost: 1.3 }),
  ]
}

async function publicKeyOf(issuer: string): Promise<KeyObject> {
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { alg: string }[] }
  const active = keys.find(({ alg }) => alg === 'ES256')
  return createPublicKey({ key: active as object, format: 'jwk' })
}

function fail(result?: unknown, verifier?: Verifier): never {
  throw new Error(
    `A good credential was refused: ${JSON.stringify(result)}, ${JSON.stringify(verifier?.status())}`,
  )
}
