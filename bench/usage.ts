/** What counting costs: processor time at 50,000 decisions a second, writing included, and the memory it holds. */
import { openDeployment } from '../server/src/app.ts'
import { loadConfig } from '../server/src/config.ts'
import type { Bench } from './bench.ts'
import { against, spread } from './measure.ts'
import { environment, makeDeployment } from './postern.ts'

const PER_SECOND = 50_000
const KEYS = 1_000
const ROUTES = 10
/** Of each: decisions come evenly, not all at once. */
const TICKS = 50

export const usage: Bench = {
  name: 'usage',
  about: `counting ${PER_SECOND.toLocaleString('en')} decisions a second of ${KEYS.toLocaleString('en')} keys, each on one of ${ROUTES} routes`,
  async run({ quick }) {
    const seconds = quick ? 4 : 15
    const made = await makeDeployment(1)
    const deployment = await openDeployment(loadConfig(environment(made.dataDir, undefined)), { setUp: true })
    const used = Array.from({ length: KEYS }, (_, index) => {
      const id = `key_${String(index).padStart(22, '0')}`
      return {
        principal: {
          sub: 'acme',
          subType: 'external' as const,
          tenant: made.tenantId,
          resource: 'https://bench.example.com',
          scopes: [],
          roles: [],
          credential: { type: 'api_key' as const, id, environment: 'live' as const },
        },
        refs: [`api_key:${id}`],
      }
    })
    const scopes = ['orders:read']
    let count = 0
    const note = (): void => {
      const at = count++
      deployment.usage.note({
        used: used[(at * 7_919) % KEYS],
        route: `GET /route/${at % ROUTES}`,
        result: 'valid',
        address: '203.0.113.7',
        scopes,
      })
    }
    const second = async (perTick: number): Promise<number> => {
      const cpu = process.cpuUsage()
      for (let tick = 0; tick < TICKS; tick++) {
        for (let times = 0; times < perTick; times++) note()
        await new Promise((resolve) => setTimeout(resolve, 1_000 / TICKS))
      }
      const { user, system } = process.cpuUsage(cpu)
      return (user + system) / 10_000
    }
    await second(PER_SECOND / TICKS)
    const idle: number[] = []
    const busy: number[] = []
    const heapMb: number[] = []
    for (let round = 0; round < seconds; round++) {
      idle.push(await second(0))
      busy.push(await second(PER_SECOND / TICKS))
      heapMb.push(process.memoryUsage().rss / 1e6)
    }
    const rows = await deployment.storage
      .scan<{ usage_counts: { grain: string } }>()
      .selectFrom('usage_counts')
      .select(({ fn }) => fn.countAll<number>().as('rows'))
      .where('grain', '=', 'hour')
      .executeTakeFirstOrThrow()
    await deployment.close()
    made.drop()
    const cost = busy.map((value, round) => value - (idle[round] as number))
    return [
      against('of one core, writing included', spread(cost), '%', { atMost: 10 }),
      { what: 'the same process idle', value: spread(idle), unit: '%' },
      { what: 'memory of the process', value: spread(heapMb), unit: 'MB' },
      { what: 'requests counted', value: count.toLocaleString('en') },
      { what: 'rows by the hour for them', value: Number(rows.rows).toLocaleString('en') },
    ]
  },
}
