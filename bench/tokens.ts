/**
 * Tokens for machines: ES256 JWTs by client_credentials on durable SQLite and one core, beside bare oidc-provider with its
 * in-memory storage. Codes and refresh tokens are consumed durably, so they are shown beside bare durable commits.
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDeployment } from '../server/src/app.ts'
import { loadConfig } from '../server/src/config.ts'
import { withEvidence } from '../server/src/oauth/evidence.ts'
import { CLIENT, SECRET } from './bare-oauth-client.ts'
import type { Bench } from './bench.ts'
import { type Measured, SERVER_CORE, startMeasured } from './child-process.ts'
import { startLoad } from './load.ts'
import type { LoadRequest, LoadResult } from './load-generator.ts'
import { against, ratios, spread } from './measure.ts'
import { type BenchDeployment, environment, makeDeployment, RESOURCE, serve } from './postern.ts'

const CALLERS = 50
const CALLBACK = 'https://app.example.com/callback'
const VERIFIER = 'v'.repeat(43)

interface Half {
  readonly perSecond: number[]
  readonly cpuMicros: number[]
}

export const tokens: Bench = {
  name: 'tokens',
  about:
    'client_credentials on durable SQLite against bare oidc-provider in memory; codes and refreshes against commits',
  async run({ quick }) {
    const [rounds, milliseconds] = quick ? [3, 1_500] : [7, 3_000]
    const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
    const deployment = await makeDeployment(0)
    const most = Math.round(milliseconds * 0.8)
    const prepared = await prepare(deployment, (rounds + 1) * most)
    const load = startLoad()
    const postern = await serve(deployment)
    const bare = startMeasured([join(import.meta.dirname, 'bare-oauth.ts')], { core: SERVER_CORE })
    const barePort = Number(await bare.nextLine())
    const commits = startMeasured(
      [join(import.meta.dirname, 'durable-commits.ts'), 'sqlite', join(folder, 'commits.db')],
      { core: SERVER_CORE },
    )

    const half = (): Half => ({ perSecond: [], cpuMicros: [] })
    const halves = { postern: half(), bare: half() }
    const durable: number[] = []
    const redeemed = half()
    const refreshed = half()
    const run = async (
      into: Half | undefined,
      server: Measured,
      port: number,
      requests: readonly LoadRequest[],
      limit?: number,
    ): Promise<void> => {
      const cpuBefore = server.cpuMs()
      const result: LoadResult = await load.run({
        port,
        connections: CALLERS,
        milliseconds,
        requests,
        ...(limit !== undefined && { most: limit }),
      })
      if (result.refused > 0) throw new Error(`${result.refused} refused: ${result.sample}`)
      into?.perSecond.push(result.perSecond)
      into?.cpuMicros.push(((server.cpuMs() - cpuBefore) * 1000) / result.answered)
    }
    const ours = [form(credentialsOf(prepared.service), { grant_type: 'client_credentials' })]
    const theirs = [form(credentialsOf({ id: CLIENT, secret: SECRET }), { grant_type: 'client_credentials' })]
    for (let count = -1; count < rounds; count++) {
      const warm = count < 0
      await run(warm ? undefined : halves.postern, postern, postern.port, ours)
      await run(warm ? undefined : halves.bare, bare, barePort, theirs)
      if (!warm) {
        commits.send(String(milliseconds))
        durable.push(Number(await commits.nextLine()))
      }
      await run(warm ? undefined : redeemed, postern, postern.port, prepared.codes.splice(0, most), most)
      await run(warm ? undefined : refreshed, postern, postern.port, prepared.refreshes.splice(0, most), most)
    }
    await Promise.all([load.end(), postern.end(), bare.end(), commits.end()])
    deployment.drop()
    rmSync(folder, { recursive: true, force: true })

    return [
      { what: 'bare oidc-provider, in memory', value: spread(halves.bare.perSecond), unit: '/s' },
      { what: 'Postern, durable', value: spread(halves.postern.perSecond), unit: '/s' },
      against('Postern / bare', ratios(halves.postern.perSecond, halves.bare.perSecond), '×', {
        atLeast: 1,
      }),
      { what: 'bare, processor time', value: spread(halves.bare.cpuMicros), unit: 'µs' },
      { what: 'Postern, processor time', value: spread(halves.postern.cpuMicros), unit: 'µs' },
      // The same ratio for a core of its own: on a busy machine the rates above are shared out by chance.
      against(
        'Postern / bare, by processor time',
        ratios(halves.bare.cpuMicros, halves.postern.cpuMicros),
        '×',
        { atLeast: 1 },
      ),
      { what: 'bare durable commits, one after another', value: spread(durable), unit: '/s' },
      { what: `code for tokens, ${CALLERS} callers`, value: spread(redeemed.perSecond), unit: '/s' },
      { what: `refresh, ${CALLERS} callers`, value: spread(refreshed.perSecond), unit: '/s' },
      { what: 'code for tokens, processor time', value: spread(redeemed.cpuMicros), unit: 'µs' },
      { what: 'refresh, processor time', value: spread(refreshed.cpuMicros), unit: 'µs' },
      { what: 'code for tokens / commits', value: ratios(redeemed.perSecond, durable), unit: '×' },
      { what: 'refresh / commits', value: ratios(refreshed.perSecond, durable), unit: '×' },
    ]
  },
}

interface Prepared {
  readonly service: { readonly id: string; readonly secret: string }
  readonly codes: LoadRequest[]
  readonly refreshes: LoadRequest[]
}

/** Clients, a user, and as many codes and refresh tokens as can be presented: made as the engine makes them. */
async function prepare(
  { dataDir, operatorKey, tenantId }: BenchDeployment,
  count: number,
): Promise<Prepared> {
  const deployment = await openDeployment(loadConfig(environment(dataDir, undefined)), { setUp: false })
  const { server, storage, oauth } = deployment
  const manage = async (
    method: 'POST' | 'PUT',
    url: string,
    payload: object,
  ): Promise<Record<string, string>> => {
    const headers = { authorization: `Bearer ${operatorKey}` }
    const answer = await server.inject({ method, url, headers, payload })
    if (answer.statusCode >= 300) throw new Error(answer.body)
    return answer.json()
  }
  const resources = [{ resource: RESOURCE }]
  const service = await manage('POST', '/v1/clients', { name: 'bench', kind: 'service', resources })
  const web = await manage('POST', '/v1/clients', {
    name: 'bench',
    kind: 'web',
    redirect_uris: [CALLBACK],
    resources,
  })
  const user = await manage('POST', '/v1/users', { username: 'bench', name: 'Bench' })
  await manage('PUT', `/v1/users/${user['id']}/tenants/${tenantId}`, { roles: [] })

  const { provider } = await oauth.engine.load()
  const client = (await provider.Client.find(web['id'] as string)) as never
  const request = { ip: '127.0.0.1', requestId: 'bench', route: 'bench' }
  const one = async (kind: 'AuthorizationCode' | 'RefreshToken'): Promise<string> => {
    const accountId = user['id'] as string
    const grant = new provider.Grant({ accountId, clientId: web['id'] as string })
    Object.assign(grant, { tenant: tenantId })
    grant.addResourceScope(RESOURCE, 'orders:read')
    const shared = {
      accountId,
      client,
      grantId: await grant.save(),
      scope: 'orders:read',
      resource: RESOURCE,
    }
    return kind === 'RefreshToken'
      ? new provider.RefreshToken({ ...shared, gty: 'authorization_code', rotations: 0 } as never).save()
      : new provider.AuthorizationCode({
          ...shared,
          redirectUri: CALLBACK,
          codeChallenge: createHash('sha256').update(VERIFIER).digest('base64url'),
          codeChallengeMethod: 'S256',
          // Minutes are enough for a caller, not for a benchmark.
          expiresIn: 3_600,
        } as never).save()
  }
  const many = async (kind: 'AuthorizationCode' | 'RefreshToken'): Promise<string[]> => {
    const made: string[] = []
    while (made.length < count)
      made.push(
        ...(await withEvidence(storage, request, () =>
          Promise.all(Array.from({ length: Math.min(200, count - made.length) }, () => one(kind))),
        )),
      )
    return made
  }
  const who = credentialsOf({ id: web['id'] as string, secret: web['client_secret'] as string })
  const codes = (await many('AuthorizationCode')).map((code) =>
    form(who, {
      grant_type: 'authorization_code',
      code,
      redirect_uri: CALLBACK,
      code_verifier: VERIFIER,
    }),
  )
  const refreshes = (await many('RefreshToken')).map((token) =>
    form(who, { grant_type: 'refresh_token', refresh_token: token }),
  )
  await deployment.close()
  return {
    service: { id: service['id'] as string, secret: service['client_secret'] as string },
    codes,
    refreshes,
  }
}

function credentialsOf({ id, secret }: { readonly id: string; readonly secret: string }): string {
  return `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`
}

function form(authorization: string, fields: Readonly<Record<string, string>>): LoadRequest {
  return {
    method: 'POST',
    path: '/token',
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(fields).toString(),
  }
}
