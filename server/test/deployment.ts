/**
 * A deployment for tests: the real composition root on a fresh database, asked through `server.inject`, with a clock
 * that the test moves. Several nodes of one database are several of these.
 */
import { createHash, randomBytes } from 'node:crypto'
import { type Deployment, openDeployment } from '../src/app.ts'
import { type Config, loadConfig } from '../src/config.ts'
import type { Clock } from '../src/kernel/index.ts'
import type { TestDatabase } from './databases.ts'

export const ROOT_SECRET = 'a root secret for tests, of no worth at all'

/** Wall time stands until it is moved; the monotonic clock runs, and can be moved on. */
export class TestClock implements Clock {
  #nowMs: number
  #aheadMs = 0

  constructor(nowMs = Date.parse('2027-03-01T12:00:00Z')) {
    this.#nowMs = nowMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return performance.now() + this.#aheadMs
  }

  /** Moves wall time, by any amount in either direction. */
  advance(ms: number): void {
    this.#nowMs += ms
  }

  advanceMonotonic(ms: number): void {
    this.#aheadMs += ms
  }

  /** RFC 3339, that far from now. */
  at(offsetMs: number): string {
    return new Date(this.#nowMs + offsetMs).toISOString()
  }
}

// eslint-disable-next-line typescript/no-explicit-any -- what came over the wire: each test says what it expects of it.
export type Json = any

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>
  /** Parsed where it is JSON; otherwise the text. */
  readonly body: Json
  readonly text: string
}

export interface Asking {
  readonly body?: unknown
  /** The credential; the operator's unless told, null for none. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
  readonly ip?: string
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'

export interface Node {
  readonly deployment: Deployment
  readonly clock: TestClock
  readonly database: TestDatabase
  /** The first operator of the deployment, who may do everything. */
  readonly operatorKey: string
  request(method: Method, path: string, asking?: Asking): Promise<Answer>
  /** The same, and fails unless the answer is a success; answers the body. */
  done(method: Method, path: string, body?: unknown, key?: string): Promise<Json>
  /** Another process's view of the same deployment. */
  secondNode(): Promise<Node>
  close(): Promise<void>
}

export interface NodeOptions {
  readonly clock?: TestClock
  readonly operatorKey?: string
  /** Settings beside those of the database. */
  readonly env?: Readonly<Record<string, string>>
  readonly upkeep?: boolean
}

export function testConfig({ location }: TestDatabase, env: Readonly<Record<string, string>> = {}): Config {
  return loadConfig({
    POSTERN_DATA: location.dataDir,
    POSTERN_ROOT_SECRET: ROOT_SECRET,
    // Not on loopback: neither keys are printed nor demo data made, on both databases alike.
    POSTERN_ISSUER: 'https://postern.test',
    POSTERN_LOG_LEVEL: 'silent',
    POSTERN_ADDRESS_RATE: '0',
    POSTERN_SIGN_IN_RATE: '0',
    ...(location.databaseUrl !== undefined && { POSTERN_DATABASE_URL: location.databaseUrl }),
    ...env,
  })
}

/** The first node of a database makes the deployment; a later one needs its operator key. */
export async function openNode(database: TestDatabase, options: NodeOptions = {}): Promise<Node> {
  const clock = options.clock ?? new TestClock()
  const config = testConfig(database, options.env)
  const deployment = await openDeployment(config, { setUp: true, clock, upkeep: options.upkeep ?? false })
  const operatorKey = options.operatorKey ?? deployment.firstKeys?.operatorKey
  if (operatorKey === undefined) throw new Error('This database has a deployment: give its operator key.')

  const request: Node['request'] = async (method, path, asking = {}) => {
    const key = asking.key === undefined ? operatorKey : asking.key
    const answer = await deployment.server.inject({
      method,
      url: path,
      remoteAddress: asking.ip ?? '127.0.0.1',
      headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...asking.headers },
      ...(asking.body !== undefined && { payload: asking.body as object }),
    })
    const isJson = /^application\/(problem\+)?json/.test(String(answer.headers['content-type']))
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: isJson && answer.body !== '' ? (JSON.parse(answer.body) as Json) : answer.body,
      text: answer.body,
    }
  }
  return {
    deployment,
    clock,
    database,
    operatorKey,
    request,
    async done(method, path, body, key) {
      const answer = await request(method, path, { body, ...(key !== undefined && { key }) })
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
      return answer.body
    },
    secondNode: () => openNode(database, { ...options, clock, operatorKey }),
    close: () => deployment.close(),
  }
}

/** A resource with three scopes; a new one each time unless the URI says otherwise. */
export function newResource(node: Node, more: Record<string, unknown> = {}): Promise<Json> {
  return node.done('POST', '/v1/resources', {
    uri: `https://api.test/${unique()}`,
    name: 'An API',
    scopes: ['orders:read', 'orders:write', 'orders:refund'].map((name) => ({ name, description: '' })),
    ...more,
  })
}

export function newTenant(node: Node, more: Record<string, unknown> = {}): Promise<Json> {
  return node.done('POST', '/v1/tenants', { name: `tenant ${unique()}`, ...more })
}

/** Issues a key of the resource; answers it with its text in `key`. */
export function issueKey(node: Node, resource: Json, more: Record<string, unknown> = {}): Promise<Json> {
  return node.done('POST', '/v1/keys', {
    name: 'a key',
    owner: 'customer-1',
    resource: resource.uri,
    scopes: ['orders:read'],
    ...more,
  })
}

/** Imports that many keys at once, as somebody else issued them; answers their texts. */
export async function importKeys(
  node: Node,
  resource: Json,
  howMany: number,
  { tenant, ...more }: Record<string, unknown> = {},
): Promise<string[]> {
  const texts = Array.from({ length: howMany }, () => `old-${randomBytes(24).toString('base64url')}`)
  const { imported } = await node.done('POST', '/v1/keys/import', {
    high_entropy: true,
    resource: resource.id,
    ...(tenant !== undefined && { tenant }),
    keys: texts.map((text) => importedKey(text, more)),
  })
  if (imported !== howMany) throw new Error(`${imported} of ${howMany} keys were imported.`)
  return texts
}

/** A member of an import: the digest of `text`. */
export function importedKey(text: string, more: Record<string, unknown> = {}): Json {
  const digest = createHash('sha256').update(text).digest('hex')
  return {
    digest,
    encoding: 'hex',
    algorithm: 'sha256',
    prefix: 'old',
    owner: 'customer-1',
    scopes: ['orders:read'],
    ...more,
  }
}

export function newOperator(
  node: Node,
  scopes: readonly string[],
  more: Record<string, unknown> = {},
): Promise<Json> {
  return node.done('POST', '/v1/operators', { name: `operator ${unique()}`, scopes, ...more })
}

/** Asks `verify`; `callerKey` in `more` is the asking caller's own. */
export async function verify(
  node: Node,
  credential: string,
  more: Record<string, unknown> = {},
): Promise<Json> {
  const { callerKey, ...question } = more
  return node.done('POST', '/v1/verify', { credential, ...question }, callerKey as string | undefined)
}

/** `valid`, or the code of the denial. */
export async function verdict(
  node: Node,
  credential: string,
  more: Record<string, unknown> = {},
): Promise<string> {
  const answer = await verify(node, credential, more)
  return answer.valid ? 'valid' : answer.code
}

let count = 0
/** Text that no other call in this process answers. */
export function unique(): string {
  return `${process.pid.toString(36)}-${(count++).toString(36)}`
}

/** Asks again until it is true; fails after `ms`. For what another process does in its own time. */
export async function eventually(what: string, isTrue: () => Promise<boolean>, ms = 1_000): Promise<void> {
  const deadline = performance.now() + ms
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
