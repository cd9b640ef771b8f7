/** How soon `serve` answers on an existing data folder, and how much memory it then holds. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import { against, spread } from './measure.ts'
import { makeDeployment, RESOURCE, serve } from './postern.ts'

const FEW_REQUESTS = 20

export const start: Bench = {
  name: 'start',
  about: 'serve on an existing data folder',
  async run({ quick }) {
    const deployment = await makeDeployment(10)
    const readyMs: number[] = []
    const residentMb: number[] = []
    for (let round = 0; round < (quick ? 3 : 7); round++) {
      const server = await serve(deployment)
      readyMs.push(server.readyMs)
      for (let count = 0; count < FEW_REQUESTS; count++) {
        const answer = await fetch(`http://127.0.0.1:${server.port}/v1/verify`, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${deployment.operatorKey}`,
            'content-type': 'application/json',
            connection: 'close',
          },
          body: JSON.stringify({ credential: deployment.keys[count % 10], resource: RESOURCE }),
        })
        if (answer.status !== 200) throw new Error(`verify answered ${answer.status}`)
        await answer.arrayBuffer()
      }
      // Until what follows a request (last use, activity) is written.
      await sleep(2_500)
      residentMb.push(server.residentBytes() / 1e6)
      await server.end()
    }
    deployment.drop()
    return [
      against('ready after', spread(readyMs), 'ms', { atMost: 1000 }),
      against(`resident when idle, after ${FEW_REQUESTS} requests`, spread(residentMb), 'MB', {
        atMost: 100,
      }),
    ]
  },
}
