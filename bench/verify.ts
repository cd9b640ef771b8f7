/** POST /v1/verify on a known key, on one core, beside a bare Fastify server that parses and answers the same sizes. */
import { join } from 'node:path'
import type { Bench } from './bench.ts'
import { type Measured, SERVER_CORE, startMeasured } from './child-process.ts'
import { post, startLoad } from './load.ts'
import type { LoadResult } from './load-generator.ts'
import { against, ratios, spread } from './measure.ts'
import { makeDeployment, RESOURCE, serve } from './postern.ts'

const CONNECTIONS = 50

interface Half {
  readonly results: LoadResult[]
  /** Processor time for one request, in µs: what is left when the machine is busy with other things. */
  readonly cpuMicros: number[]
  readonly busy: number[]
}

export const verify: Bench = {
  name: 'verify',
  about: 'verify on a known key, one core, against bare Fastify',
  async run({ quick }) {
    const [rounds, milliseconds] = quick ? [3, 1_500] : [7, 3_000]
    const deployment = await makeDeployment(1)
    const load = startLoad()
    const postern = await serve(deployment)
    const request = post('/v1/verify', deployment.operatorKey, {
      credential: deployment.keys[0],
      resource: RESOURCE,
      scopes: ['orders:read'],
      ip: '203.0.113.7',
      method: 'GET',
      url: 'https://bench.example.com/orders/42',
    })
    const first = await load.run({
      port: postern.port,
      connections: 1,
      milliseconds: 5_000,
      most: 1,
      requests: [request],
    })
    const bare = startMeasured([join(import.meta.dirname, 'bare-server.ts')], { core: SERVER_CORE })
    bare.send(first.sample)
    const barePort = Number(await bare.nextLine())

    const halves: Record<'postern' | 'bare', Half> = {
      postern: { results: [], cpuMicros: [], busy: [] },
      bare: { results: [], cpuMicros: [], busy: [] },
    }
    const round = async (half: Half, server: Measured, port: number, warm: boolean): Promise<void> => {
      const cpuBefore = server.cpuMs()
      const result = await load.run({ port, connections: CONNECTIONS, milliseconds, requests: [request] })
      if (warm) return
      const cpuMs = server.cpuMs() - cpuBefore
      half.results.push(result)
      half.cpuMicros.push((cpuMs * 1000) / result.answered)
      half.busy.push((cpuMs / ((result.answered / result.perSecond) * 1000)) * 100)
    }
    for (let count = -1; count < rounds; count++) {
      await round(halves.postern, postern, postern.port, count < 0)
      await round(halves.bare, bare, barePort, count < 0)
    }
    await Promise.all([load.end(), postern.end(), bare.end()])
    deployment.drop()

    const rates = (half: Half): number[] => half.results.map((result) => result.perSecond)
    return [
      { what: 'bare Fastify', value: spread(rates(halves.bare)), unit: 'req/s' },
      { what: 'Postern', value: spread(rates(halves.postern)), unit: 'req/s' },
      against('Postern / bare', ratios(rates(halves.postern), rates(halves.bare)), '×', { atLeast: 0.6 }),
      { what: 'bare, processor time', value: spread(halves.bare.cpuMicros), unit: 'µs/req' },
      { what: 'Postern, processor time', value: spread(halves.postern.cpuMicros), unit: 'µs/req' },
      // The same ratio for a core of its own: on a busy machine the rates above are shared out by chance.
      against(
        'Postern / bare, by processor time',
        ratios(halves.bare.cpuMicros, halves.postern.cpuMicros),
        '×',
        { atLeast: 0.6 },
      ),
      { what: 'bare, core busy', value: spread(halves.bare.busy), unit: '%' },
      { what: 'Postern, core busy', value: spread(halves.postern.busy), unit: '%' },
      {
        what: `Postern p50 (${CONNECTIONS} connections)`,
        value: spread(halves.postern.results.map((r) => r.p50Ms)),
        unit: 'ms',
      },
      { what: 'Postern p99', value: spread(halves.postern.results.map((r) => r.p99Ms)), unit: 'ms' },
      { what: 'bare p50', value: spread(halves.bare.results.map((r) => r.p50Ms)), unit: 'ms' },
      { what: 'bare p99', value: spread(halves.bare.results.map((r) => r.p99Ms)), unit: 'ms' },
    ]
  },
}
