/** Issues and revocations over HTTP, from one caller and from fifty, beside bare durable commits on the same disk. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../server/test/postgres-cluster.ts'
import type { Bench } from './bench.ts'
import { SERVER_CORE, startMeasured } from './child-process.ts'
import { post, startLoad } from './load.ts'
import { against, type Line, ratios, spread } from './measure.ts'
import { type BenchDeployment, createDatabase, makeDeployment, RESOURCE, serve } from './postern.ts'

const CALLERS = 50

export const writes: Bench = {
  name: 'writes',
  about: 'issue and revoke, one caller and fifty, against bare durable commits',
  async run({ quick }) {
    const rounds = quick ? 2 : 5
    const milliseconds = quick ? 800 : 1_500
    const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'))
    const onSqlite = await onDatabase(
      'SQLite',
      ['sqlite', join(folder, 'commits.db')],
      (keys) => makeDeployment(keys),
      { rounds, milliseconds },
    )
    rmSync(folder, { recursive: true, force: true })

    const cluster = await startCluster()
    try {
      for (const name of ['bench', 'commits']) await createDatabase(cluster.url, name)
      const onPostgres = await onDatabase(
        'Postgres',
        ['postgres', `${cluster.url}/commits`],
        (keys) => makeDeployment(keys, { databaseUrl: `${cluster.url}/bench` }),
        { rounds, milliseconds },
      )
      return [...onSqlite, ...onPostgres]
    } finally {
      await cluster.stop()
    }
  },
}

async function onDatabase(
  database: string,
  commits: readonly string[],
  make: (keys: number) => Promise<BenchDeployment>,
  { rounds, milliseconds }: { rounds: number; milliseconds: number },
): Promise<Line[]> {
  // As many as can be revoked meanwhile, at the most.
  const revocations = { one: Math.round(milliseconds / 2), many: milliseconds * 3 }
  const deployment = await make(rounds * (revocations.one + revocations.many))
  const [server, load] = [await serve(deployment), startLoad()]
  const bare = startMeasured([join(import.meta.dirname, 'durable-commits.ts'), ...commits], {
    core: SERVER_CORE,
  })
  const ids = [...deployment.keyIds]
  const issue = post('/v1/keys', deployment.operatorKey, {
    name: 'bench',
    owner: 'customer',
    resource: RESOURCE,
    scopes: ['orders:read'],
  })
  const issued = async (connections: number): Promise<number> =>
    (await load.run({ port: server.port, connections, milliseconds, requests: [issue] })).perSecond
  const revoked = async (connections: number, most: number): Promise<number> => {
    const requests = ids
      .splice(0, most)
      .map((id) => post(`/v1/keys/${id}/revoke`, deployment.operatorKey, { reason: 'bench' }))
    return (await load.run({ port: server.port, connections, milliseconds, most, requests })).perSecond
  }

  await issued(CALLERS)
  const rates: Record<'bare' | 'issueOne' | 'issueMany' | 'revokeOne' | 'revokeMany', number[]> = {
    bare: [],
    issueOne: [],
    issueMany: [],
    revokeOne: [],
    revokeMany: [],
  }
  for (let round = 0; round < rounds; round++) {
    bare.send(String(milliseconds))
    rates.bare.push(Number(await bare.nextLine()))
    rates.issueOne.push(await issued(1))
    rates.issueMany.push(await issued(CALLERS))
    rates.revokeOne.push(await revoked(1, revocations.one))
    rates.revokeMany.push(await revoked(CALLERS, revocations.many))
  }
  await Promise.all([load.end(), server.end(), bare.end()])
  deployment.drop()

  return [
    { what: `${database}: bare durable commits`, value: spread(rates.bare), unit: '/s' },
    { what: `${database}: issue, 1 caller`, value: spread(rates.issueOne), unit: '/s' },
    { what: `${database}: issue, ${CALLERS} callers`, value: spread(rates.issueMany), unit: '/s' },
    { what: `${database}: revoke, 1 caller`, value: spread(rates.revokeOne), unit: '/s' },
    { what: `${database}: revoke, ${CALLERS} callers`, value: spread(rates.revokeMany), unit: '/s' },
    { what: `${database}: issue, 1 caller / bare`, value: ratios(rates.issueOne, rates.bare), unit: '×' },
    against(`${database}: issue, ${CALLERS} / 1`, ratios(rates.issueMany, rates.issueOne), '×', {
      atLeast: 3,
    }),
    against(`${database}: revoke, ${CALLERS} / 1`, ratios(rates.revokeMany, rates.revokeOne), '×', {
      atLeast: 3,
    }),
  ]
}
