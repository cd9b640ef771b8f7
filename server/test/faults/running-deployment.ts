/** A deployment that listens in the test's own process, called over HTTP, with its log at hand. */
import { openDeployment } from '../../src/app.ts'
import { createLogger } from '../../src/http/index.ts'
import type { StorageTesting } from '../../src/storage/index.ts'
import { configFor, type Prepared, RESOURCE_URI } from './prepared-deployment.ts'

export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: Record<string, unknown>
  readonly tookMs: number
}

export interface Running {
  call(method: string, path: string, body?: unknown): Promise<Answer>
  /** Issues a key. */
  issue(): Promise<Answer>
  verify(credential: string): Promise<Answer>
  /** Lines of the log, parsed. */
  readonly log: readonly Record<string, unknown>[]
  close(): Promise<void>
}

export async function runDeployment(prepared: Prepared, testing: StorageTesting = {}): Promise<Running> {
  const log: Record<string, unknown>[] = []
  const destination = {
    write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>),
  }
  const logger = createLogger({ logLevel: 'info', logFormat: 'json' }, destination)
  const deployment = await openDeployment(configFor(prepared.location), {
    setUp: true,
    upkeep: true,
    logger,
    testing,
  })
  const address = await deployment.server.listen({ host: '127.0.0.1', port: 0 })
  const client = createClient(address, prepared.operatorKey)
  return { ...client, log, close: () => deployment.close() }
}

export type Client = Pick<Running, 'call' | 'issue' | 'verify'>

/** Each call gives up after 20 seconds, which no test takes for an answer. */
export function createClient(address: string, operatorKey: string): Client {
  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const startedMs = performance.now()
    const response = await fetch(`${address}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operatorKey}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(20_000),
    })
    return {
      status: response.status,
      type: response.headers.get('content-type') ?? '',
      body: (await response.json()) as Record<string, unknown>,
      tookMs: performance.now() - startedMs,
    }
  }
  return {
    call,
    issue: () =>
      call('POST', '/v1/keys', {
        name: 'a key',
        owner: 'someone',
        resource: RESOURCE_URI,
        scopes: ['orders:read'],
      }),
    verify: (credential) => call('POST', '/v1/verify', { credential, resource: RESOURCE_URI }),
  }
}

/** Repeats until it holds, for at most ten seconds. */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const startedMs = performance.now()
  while (!(await holds())) {
    if (performance.now() - startedMs > 10_000) throw new Error(`never: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
