/** The gateway's endpoint on a known key, token and session, identity token and all, on one core, beside a bare hello-world. */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openDeployment } from '../server/src/app.ts'
import { SYSTEM } from '../server/src/bootstrap.ts'
import { loadConfig } from '../server/src/config.ts'
import { hashOf, issueCode, redeemCode } from '../server/src/gateway/begin-session.ts'
import { BrowserHosts } from '../server/src/gateway/browser-hosts.ts'
import { createUser, setMembership, setPassword, signIn } from '../server/src/identity/index.ts'
import type { Bench } from './bench.ts'
import { type Measured, SERVER_CORE, startMeasured } from './child-process.ts'
import { type Load, startLoad } from './load.ts'
import type { LoadRequest, LoadResult } from './load-generator.ts'
import { against, type Line, ratios, spread } from './measure.ts'
import {
  type BenchDeployment,
  environment,
  makeDeployment,
  RESOURCE,
  type RunningServer,
  serve,
} from './postern.ts'

const CONNECTIONS = 50
const SECRET = 'a secret that only benchmarks ever use, either'
const STATE = 'a'.repeat(43)
const ORIGIN = 'http://app.localhost:8080'
const HOST = 'app.localhost:8080'
const GATEWAY = { POSTERN_GATEWAY_SECRET: SECRET, POSTERN_GATEWAY_HOSTS: ORIGIN }

interface Half {
  readonly results: LoadResult[]
  readonly cpuMicros: number[]
}

export const gateway: Bench = {
  name: 'gateway',
  about: 'the gateway on a known caller, one core, against a bare Fastify hello-world',
  async run({ quick }) {
    const [rounds, milliseconds] = quick ? [3, 1_200] : [7, 3_000]
    const deployment = await makeDeployment(1)
    const session = await prepare(deployment)
    const load = startLoad()
    const postern = await serve(deployment, { env: GATEWAY })
    const bare = startMeasured([join(import.meta.dirname, 'hello-server.ts')], { core: SERVER_CORE })
    const barePort = Number(await bare.nextLine())

    const token = await exchange(postern.port, deployment.keys[0] as string)
    const requests: Readonly<Record<string, LoadRequest>> = {
      // The same request, to whom it means nothing.
      'bare Fastify': { ...asked({ authorization: `Bearer ${deployment.keys[0]}` }), path: '/' },
      key: asked({ authorization: `Bearer ${deployment.keys[0]}` }),
      token: asked({ authorization: `Bearer ${token}` }),
      session: asked({ cookie: `postern-app-8080=${session}`, accept: 'application/json' }),
    }
    const halves = Object.fromEntries(
      Object.keys(requests).map((name): [string, Half] => [name, { results: [], cpuMicros: [] }]),
    )
    for (let count = -1; count < rounds; count++)
      for (const [name, request] of Object.entries(requests)) {
        const [server, port]: [Measured, number] =
          name === 'bare Fastify' ? [bare, barePort] : [postern, postern.port]
        const cpuBefore = server.cpuMs()
        const result = await load.run({ port, connections: CONNECTIONS, milliseconds, requests: [request] })
        if (count < 0) continue
        halves[name]?.results.push(result)
        halves[name]?.cpuMicros.push(((server.cpuMs() - cpuBefore) * 1000) / result.answered)
      }
    await Promise.all([postern.end(), bare.end()])
    const several = await withWorkers(deployment, load, requests['key'] as LoadRequest, {
      rounds,
      milliseconds,
    })
    await load.end()
    deployment.drop()
    return [...linesOf(halves), ...several]
  },
}

function linesOf(halves: Readonly<Record<string, Half>>): Line[] {
  const bare = halves['bare Fastify'] as Half
  const rates = ({ results }: Half): number[] => results.map(({ perSecond }) => perSecond)
  const p99 = ({ results }: Half): number[] => results.map(({ p99Ms }) => p99Ms)
  return Object.entries(halves).flatMap(([name, half]) => [
    { what: name, value: spread(rates(half)), unit: 'req/s' },
    ...(half === bare
      ? []
      : [against(`${name} / bare`, ratios(rates(half), rates(bare)), '×', { atLeast: 0.8 })]),
    { what: `${name}, processor time`, value: spread(half.cpuMicros), unit: 'µs/req' },
    // The same ratio for a core of its own: on a busy machine the rates above are shared out by chance.
    ...(half === bare
      ? []
      : [
          against(`${name} / bare, by processor time`, ratios(bare.cpuMicros, half.cpuMicros), '×', {
            atLeast: 0.8,
          }),
        ]),
    { what: `${name}, p99`, value: spread(p99(half)), unit: 'ms' },
    ...(half === bare
      ? []
      : [against(`${name} / bare, p99`, ratios(p99(half), p99(bare)), '×', { atMost: 2 })]),
  ])
}

/** Two processes need two cores, and the load one of its own: with fewer it takes from both of them, and tells little. */
async function withWorkers(
  deployment: BenchDeployment,
  load: Load,
  request: LoadRequest,
  { rounds, milliseconds }: { rounds: number; milliseconds: number },
): Promise<Line[]> {
  const servers: RunningServer[] = []
  for (const workers of ['1', '2'])
    servers.push(await serve(deployment, { env: { ...GATEWAY, POSTERN_WORKERS: workers }, pinned: false }))
  const results: [LoadResult[], LoadResult[]] = [[], []]
  for (let count = -1; count < rounds; count++)
    for (const [index, { port }] of servers.entries()) {
      const result = await load.run({ port, connections: CONNECTIONS, milliseconds, requests: [request] })
      if (count >= 0) results[index]?.push(result)
    }
  for (const server of servers) await server.end()
  const [one, two] = results
  const rates = (of: LoadResult[]): number[] => of.map(({ perSecond }) => perSecond)
  const p99 = (of: LoadResult[]): number[] => of.map(({ p99Ms }) => p99Ms)
  if (availableParallelism() < 3) {
    const what = 'two workers / one, with the load on the same two cores'
    return [
      { what, value: ratios(rates(two), rates(one)), unit: '×' },
      { what: `${what}, p99`, value: ratios(p99(two), p99(one)), unit: '×' },
    ]
  }
  return [
    against('two workers / one', ratios(rates(two), rates(one)), '×', { atLeast: 1.7 }),
    against('two workers / one, p99', ratios(p99(two), p99(one)), '×', { atMost: 2 }),
  ]
}

/** As nginx asks. */
function asked(more: Readonly<Record<string, string>>): LoadRequest {
  return {
    method: 'GET',
    path: '/gateway/nginx',
    headers: {
      'postern-gateway-secret': SECRET,
      'x-original-method': 'GET',
      'x-original-proto': 'http',
      'x-original-host': HOST,
      'x-original-uri': '/orders/42',
      'x-original-for': '203.0.113.7',
      ...more,
    },
    body: '',
  }
}

async function exchange(port: number, key: string): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      client_id: 'api-key',
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: key,
      subject_token_type: 'urn:postern:params:oauth:token-type:api_key',
      resource: RESOURCE,
    }),
  })
  const { access_token: token } = (await answer.json()) as { access_token?: string }
  if (token === undefined) throw new Error(`no token: ${answer.status}`)
  return token
}

/** A route, and a person signed in on its host; answers the cookie's value. */
async function prepare({ dataDir, databaseUrl, tenantId, operatorKey }: BenchDeployment): Promise<string> {
  const config = loadConfig({ ...environment(dataDir, databaseUrl), ...GATEWAY })
  const { storage, context, oauth, server, close } = await openDeployment(config, { setUp: false })
  const { changes } = context
  const made = await server.inject({
    method: 'POST',
    url: '/v1/gateway/routes',
    headers: { authorization: `Bearer ${operatorKey}` },
    payload: { host: 'app.localhost', path: '/orders', resource: RESOURCE, scopes: ['orders:read'] },
  })
  if (made.statusCode !== 201) throw new Error(`no route: ${made.body}`)
  const password = 'a password that only benchmarks use'
  const user = await storage.write((tx) =>
    createUser(tx, changes, SYSTEM, { username: 'bench', name: 'Bench' }),
  )
  await setPassword(oauth.identity, SYSTEM, user.id, password)
  await storage.write((tx) => setMembership(tx, changes, SYSTEM, { userId: user.id, tenantId, roles: [] }))
  const outcome = await signIn(oauth.identity, {
    identifier: 'bench',
    password,
    ip: '127.0.0.1',
    binding: 'bench',
  })
  if (!outcome.signedIn) throw new Error('nobody signed in')
  const ports = { storage, clock: changes.clock }
  const host = new BrowserHosts([ORIGIN]).of(HOST)
  if (!host) throw new Error('no host')
  const code = await issueCode(ports, outcome.session, { host, stateHash: hashOf(STATE), returnTo: '/' })
  const begun = await redeemCode(ports, code, { host, state: STATE })
  await close()
  return begun?.value ?? ''
}
