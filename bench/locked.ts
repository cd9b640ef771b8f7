/** What callers of verify notice while another process holds SQLite's write lock. */
import { join } from 'node:path'
import { SQLITE_FILE } from '../server/src/storage/index.ts'
import type { Bench } from './bench.ts'
import { LOAD_CORE, startMeasured } from './child-process.ts'
import { post, startLoad } from './load.ts'
import type { LoadResult } from './load-generator.ts'
import { against, ratios, spread } from './measure.ts'
import { makeDeployment, RESOURCE, serve } from './postern.ts'

const HELD_MS = 2_000
const CONNECTIONS = 10

export const locked: Bench = {
  name: 'locked',
  about: 'verify while another process holds the write lock for two seconds',
  async run({ quick }) {
    const deployment = await makeDeployment(20)
    const [server, load] = [await serve(deployment), startLoad()]
    const holder = startMeasured(
      [join(import.meta.dirname, 'lock-holder.ts'), join(deployment.dataDir, SQLITE_FILE)],
      { core: LOAD_CORE },
    )
    const requests = deployment.keys.map((credential) =>
      post('/v1/verify', deployment.operatorKey, { credential, resource: RESOURCE }),
    )
    const run = (milliseconds: number): Promise<LoadResult> =>
      load.run({ port: server.port, connections: CONNECTIONS, milliseconds, requests })

    await run(1_000)
    const [without, during]: [LoadResult[], LoadResult[]] = [[], []]
    for (let round = 0; round < (quick ? 2 : 5); round++) {
      without.push(await run(HELD_MS))
      holder.send(String(HELD_MS))
      await holder.nextLine()
      during.push(await run(HELD_MS - 50))
      await holder.nextLine()
    }
    await Promise.all([load.end(), server.end(), holder.end()])
    deployment.drop()

    const p99 = (results: LoadResult[]): number[] => results.map((result) => result.p99Ms)
    return [
      { what: 'p99 without', value: spread(p99(without)), unit: 'ms' },
      { what: 'p99 during', value: spread(p99(during)), unit: 'ms' },
      against('during / without', ratios(p99(during), p99(without)), '×', { atMost: 2 }),
      { what: 'longest during', value: spread(during.map((result) => result.longestMs)), unit: 'ms' },
    ]
  },
}
