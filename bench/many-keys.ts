/**
 * A thousand keys and a million in SQLite, imported through the real operation: how long a verify takes at first sight
 * (one database read, nothing cached), and how much memory the server holds.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { type Deployment, openDeployment } from '../server/src/app.ts'
import { importApiKeys } from '../server/src/api-keys/import-api-keys.ts'
import { Peppers } from '../server/src/api-keys/index.ts'
import { SYSTEM } from '../server/src/bootstrap.ts'
import { loadConfig } from '../server/src/config.ts'
import { denial as denialOf, systemClock } from '../server/src/kernel/index.ts'
import { SQLITE_FILE } from '../server/src/storage/index.ts'
import { Verifier } from '../server/src/verify/index.ts'
import type { Bench } from './bench.ts'
import { post, startLoad } from './load.ts'
import { against, type Line, percentile, ratios, spread } from './measure.ts'
import { type BenchDeployment, environment, makeDeployment, RESOURCE, ROOT_SECRET, serve } from './postern.ts'

const FEW = 1_000
const BATCH = 1_000
const SIGHTS = 1_000

export const manyKeys: Bench = {
  name: 'many-keys',
  about: `first sight and memory with many keys in SQLite`,
  async run({ quick }) {
    const many = quick ? 100_000 : 1_000_000
    const [small, large] = [await makeDeployment(0), await makeDeployment(0)]
    await importKeys(small, FEW)
    const importSeconds = await importKeys(large, many)
    try {
      return [
        { what: `import of ${many.toLocaleString('en')} digests`, value: importSeconds, unit: 's' },
        { what: 'rate of that', value: many / importSeconds, unit: 'keys/s' },
        { what: 'size of its database', value: megabytes(large), unit: 'MB' },
        ...(await firstSights(small, large, many, quick ? 4 : 10)),
        ...(await memory(small, large, many, quick ? 1 : 3)),
      ]
    } finally {
      small.drop()
      large.drop()
    }
  },
}

/** The key that an earlier system gave out as its `number`th. */
function foreignKey(number: number): string {
  return `old_${createHash('sha256').update(`key ${number}`).digest('base64url')}`
}

async function importKeys(deployment: BenchDeployment, count: number): Promise<number> {
  const { storage, context, close } = await open(deployment)
  const startedMs = performance.now()
  for (let at = 0; at < count; at += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - at) }, (_, index) => ({
      digest: createHash('sha256')
        .update(foreignKey(at + index))
        .digest('hex'),
      encoding: 'hex' as const,
      prefix: 'old_',
      owner: `customer ${at + index}`,
      scopes: ['orders:read'],
    }))
    const { imported } = await storage.write((tx) => importApiKeys(tx, context, SYSTEM, deployment, keys))
    if (imported !== keys.length) throw new Error(`${keys.length - imported} keys were not imported`)
  }
  const seconds = (performance.now() - startedMs) / 1000
  await close()
  return seconds
}

function open({ dataDir, databaseUrl }: BenchDeployment): Promise<Deployment> {
  return openDeployment(loadConfig(environment(dataDir, databaseUrl)), { setUp: true })
}

/** In one process, in turn, each round with an empty cache and other keys. */
async function firstSights(
  small: BenchDeployment,
  large: BenchDeployment,
  many: number,
  rounds: number,
): Promise<Line[]> {
  const sides = [
    { deployment: await open(small), of: FEW, p50: [] as number[], p99: [] as number[] },
    { deployment: await open(large), of: many, p50: [] as number[], p99: [] as number[] },
  ] as const
  const peppers = new Peppers(ROOT_SECRET)
  for (let round = -1; round < rounds; round++) {
    for (const side of sides) {
      const { storage, feed, limits } = side.deployment
      await peppers.load(storage)
      const verifier = new Verifier({
        storage,
        peppers,
        feed,
        clock: systemClock,
        findToken: async () => denialOf('unknown'),
        findLimits: (presented) => limits.find(presented),
        chargeLimits: (bound, cost) => limits.charge(bound, cost),
      })
      const tookMicros: number[] = []
      for (let count = 0; count < SIGHTS; count++) {
        // Spread over the whole table; in the small one, every key once.
        const credential = foreignKey((count * 7_919 + (round + 1) * 104_729) % side.of)
        const startedMs = performance.now()
        const { denial } = await verifier.verify({
          credential,
          resource: RESOURCE,
          scopes: ['orders:read'],
          environment: 'live',
          reach: SYSTEM,
        })
        tookMicros.push((performance.now() - startedMs) * 1000)
        if (denial) throw new Error(`a key was refused: ${denial.code}`)
      }
      if (round < 0) continue
      tookMicros.sort((a, b) => a - b)
      side.p50.push(percentile(tookMicros, 50))
      side.p99.push(percentile(tookMicros, 99))
    }
  }
  for (const { deployment } of sides) await deployment.close()
  const [few, lots] = sides
  return [
    { what: 'first sight, p50, 1,000 keys', value: spread(few.p50), unit: 'µs' },
    { what: 'first sight, p50, many keys', value: spread(lots.p50), unit: 'µs' },
    against('many / 1,000, p50', ratios(lots.p50, few.p50), '×', { atMost: 1.5 }),
    { what: 'many / 1,000, p99', value: ratios(lots.p99, few.p99), unit: '×' },
  ]
}

/** Of the real server, after it has seen as many different keys on either side. */
async function memory(
  small: BenchDeployment,
  large: BenchDeployment,
  many: number,
  rounds: number,
): Promise<Line[]> {
  const load = startLoad()
  const megabytesAfter = async (deployment: BenchDeployment, of: number): Promise<number> => {
    const server = await serve(deployment)
    const requests = Array.from({ length: SIGHTS }, (_, count) =>
      post('/v1/verify', deployment.operatorKey, {
        credential: foreignKey((count * 7_919) % of),
        resource: RESOURCE,
      }),
    )
    await load.run({ port: server.port, connections: 4, milliseconds: 60_000, most: SIGHTS, requests })
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    const resident = server.residentBytes() / 1e6
    await server.end()
    return resident
  }
  const [few, lots]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    few.push(await megabytesAfter(small, FEW))
    lots.push(await megabytesAfter(large, many))
  }
  await load.end()
  return [
    {
      what: `resident after ${SIGHTS.toLocaleString('en')} sights, 1,000 keys`,
      value: spread(few),
      unit: 'MB',
    },
    { what: 'resident after as many, many keys', value: spread(lots), unit: 'MB' },
    against('many / 1,000, resident', ratios(lots, few), '×', { atMost: 1.3 }),
  ]
}

function megabytes({ dataDir }: BenchDeployment): number {
  return statSync(join(dataDir, SQLITE_FILE)).size / 1e6
}
