/** A deployment to measure, and the real server on it, started as `npm start` starts it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { openDeployment } from '../server/src/app.ts'
import { SYSTEM } from '../server/src/bootstrap.ts'
import { loadConfig } from '../server/src/config.ts'
import { type IssuedKey, issueApiKey } from '../server/src/api-keys/index.ts'
import { createResource } from '../server/src/resources/index.ts'
import { freePort } from '../server/test/postgres-cluster.ts'
import { type Measured, SERVER_CORE, startMeasured } from './child-process.ts'

export const RESOURCE = 'https://bench.example.com'
export const ROOT_SECRET = 'a root secret that only benchmarks ever use'

/** In a cluster of this run's own. Answers its URL. */
export async function createDatabase(cluster: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: `${cluster}/postgres` })
  await client.connect()
  await client.query(`CREATE DATABASE ${name}`)
  await client.end()
  return `${cluster}/${name}`
}

export interface BenchDeployment {
  readonly dataDir: string
  readonly databaseUrl: string | undefined
  readonly operatorKey: string
  readonly keys: readonly string[]
  readonly keyIds: readonly string[]
  readonly tenantId: string
  readonly resourceId: string
  drop(): void
}

export async function makeDeployment(
  keyCount: number,
  { databaseUrl, tokenLifetimeSeconds }: { databaseUrl?: string; tokenLifetimeSeconds?: number } = {},
): Promise<BenchDeployment> {
  const dataDir = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  // With a lifetime of its own there is no demonstration API beside it, whose tokens would live longer.
  const deployment = await openDeployment(
    loadConfig({
      ...environment(dataDir, databaseUrl),
      ...(tokenLifetimeSeconds !== undefined && { POSTERN_ISSUER: 'https://postern.bench' }),
    }),
    { setUp: true },
  )
  const { storage, context, firstKeys } = deployment
  const resource = await storage.write((tx) =>
    createResource(tx, context.changes, SYSTEM, {
      uri: RESOURCE,
      name: 'Bench',
      ...(tokenLifetimeSeconds !== undefined && { tokenLifetimeSeconds }),
      scopes: [
        { name: 'orders:read', description: 'Read orders' },
        { name: 'orders:write', description: 'Create and change orders' },
      ],
    }),
  )
  const { id: tenantId } = await storage
    .read<{ tenants: { id: string; name: string } }>()
    .selectFrom('tenants')
    .select('id')
    .where('name', '=', 'default')
    .executeTakeFirstOrThrow()
  const issued: IssuedKey[] = []
  while (issued.length < keyCount) {
    const some = Array.from({ length: Math.min(1_000, keyCount - issued.length) }, (_, number) =>
      storage.write((tx) =>
        issueApiKey(tx, context, SYSTEM, {
          tenantId,
          resourceId: resource.id,
          owner: `customer ${issued.length + number}`,
          name: 'bench',
          scopes: ['orders:read', 'orders:write'],
        }),
      ),
    )
    issued.push(...(await Promise.all(some)))
  }
  await deployment.close()
  return {
    dataDir,
    databaseUrl,
    operatorKey: firstKeys?.operatorKey ?? '',
    keys: issued.map(({ key }) => key),
    keyIds: issued.map(({ record }) => record.id),
    tenantId,
    resourceId: resource.id,
    drop: () => rmSync(dataDir, { recursive: true, force: true }),
  }
}

export function environment(dataDir: string, databaseUrl: string | undefined, port = 0): NodeJS.ProcessEnv {
  return {
    POSTERN_DATA: dataDir,
    POSTERN_ROOT_SECRET: ROOT_SECRET,
    POSTERN_PORT: String(port),
    POSTERN_LOG_FORMAT: 'json',
    // The load comes from one address.
    POSTERN_ADDRESS_RATE: '0',
    POSTERN_SIGN_IN_RATE: '0',
    ...(databaseUrl !== undefined && { POSTERN_DATABASE_URL: databaseUrl }),
  }
}

export interface RunningServer extends Measured {
  readonly port: number
  /** From the start of the process to its first answer, in milliseconds. */
  readonly readyMs: number
}

export async function serve(
  { dataDir, databaseUrl }: BenchDeployment,
  { env = {}, pinned = true }: { env?: NodeJS.ProcessEnv; pinned?: boolean } = {},
): Promise<RunningServer> {
  const port = await freePort()
  const startedMs = performance.now()
  const server = startMeasured(startArguments(), {
    ...(pinned && { core: SERVER_CORE }),
    env: { ...environment(dataDir, databaseUrl, port), ...env },
  })
  server.process.stdout?.resume()
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}/v1/whoami`, { headers: { connection: 'close' } })
      .then((answer) => answer.status)
      .catch(() => 0)
    if (status === 401) return { ...server, port, readyMs: performance.now() - startedMs }
    if (server.process.exitCode !== null) throw new Error('The server ended before it answered.')
    if (performance.now() - startedMs > 60_000) throw new Error('The server did not answer within a minute.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What `npm start` hands to node, so that its flags are measured too. */
function startArguments(): string[] {
  const root = join(import.meta.dirname, '..')
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const [, ...words] = scripts.start.split(' ')
  return words.map((word) => (word.endsWith('.js') || word.endsWith('.ts') ? join(root, word) : word))
}
