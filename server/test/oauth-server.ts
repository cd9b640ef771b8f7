/** A deployment that really listens, for OAuth clients that are used as they come. Several nodes share one database. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Deployment, openDeployment } from '../src/app.ts'
import { loadConfig } from '../src/config.ts'
import type { Clock } from '../src/kernel/index.ts'
import type { TestDatabase } from './databases.ts'
import { freePort } from './postgres-cluster.ts'

// eslint-disable-next-line typescript/no-explicit-any -- what came over the wire: each test says what it expects of it.
export type Json = any

export interface OAuthServer {
  readonly deployment: Deployment
  readonly issuer: string
  /** Where this node listens: the issuer's own port for the first, another for the rest. */
  readonly address: string
  readonly operatorKey: string
  /** Asks the management API; fails unless it succeeds. */
  manage(method: string, path: string, body?: unknown, key?: string): Promise<Json>
  /** The same, and answers whatever came. */
  ask(method: string, path: string, body?: unknown, key?: string): Promise<{ status: number; body: Json }>
  /** POSTs a form to an OAuth endpoint. */
  form(
    path: string,
    fields: Readonly<Record<string, string>> | URLSearchParams,
    headers?: Readonly<Record<string, string>>,
  ): Promise<{ status: number; headers: Headers; body: Json }>
  /** Another node on the same database, with the same issuer. */
  secondNode(): Promise<OAuthServer>
  close(): Promise<void>
}

export interface ServerOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly issuer?: string
  /** Of the issuer, when it has one: `/auth`. */
  readonly path?: string
  readonly operatorKey?: string
  readonly upkeep?: boolean
  /** Moves our own clock; the engine's is the system's. */
  readonly clock?: Clock
}

export async function openOAuthServer(
  database: TestDatabase,
  options: ServerOptions = {},
): Promise<OAuthServer> {
  const { location } = database
  const port = await freePort()
  const issuer = options.issuer ?? `http://localhost:${port}${options.path ?? ''}`
  const config = loadConfig({
    POSTERN_DATA: location.dataDir,
    POSTERN_ROOT_SECRET: 'a root secret for tests, of no worth at all',
    POSTERN_ISSUER: issuer,
    POSTERN_LOG_LEVEL: process.env['TEST_LOG_LEVEL'] ?? 'silent',
    POSTERN_ADDRESS_RATE: '0',
    POSTERN_SIGN_IN_RATE: '0',
    ...(location.databaseUrl !== undefined && { POSTERN_DATABASE_URL: location.databaseUrl }),
    ...options.env,
  })
  const deployment = await openDeployment(config, {
    setUp: true,
    upkeep: options.upkeep ?? false,
    ...(options.clock && { clock: options.clock }),
  })
  await deployment.server.listen({ port, host: 'localhost' })
  const operatorKey = options.operatorKey ?? deployment.firstKeys?.operatorKey
  if (operatorKey === undefined) throw new Error('This database has a deployment: give its operator key.')
  const address = `http://localhost:${(deployment.server.server.address() as AddressInfo).port}`

  const ask: OAuthServer['ask'] = async (method, path, body, key = operatorKey) => {
    const answer = await fetch(address + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    deployment,
    issuer,
    address,
    operatorKey,
    ask,
    async manage(method, path, body, key) {
      const answer = await ask(method, path, body, key)
      if (answer.status >= 300)
        throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
      return answer.body
    },
    async form(path, fields, headers = {}) {
      const answer = await fetch(address + path, {
        method: 'POST',
        headers,
        body: fields instanceof URLSearchParams ? fields : new URLSearchParams(fields),
      })
      const text = await answer.text()
      const isJson = /json/.test(answer.headers.get('content-type') ?? '')
      return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : text }
    },
    secondNode: () => openOAuthServer(database, { ...options, issuer, operatorKey }),
    async close() {
      const { server } = deployment
      server.server.closeAllConnections()
      const closed = once(server.server, 'close')
      await deployment.close()
      await closed
    },
  }
}

/** `Authorization: Basic` for a client (RFC 6749, section 2.3.1). */
export function basic(id: string, secret: string): { authorization: string } {
  const text = `${encodeURIComponent(id)}:${encodeURIComponent(secret)}`
  return { authorization: `Basic ${Buffer.from(text).toString('base64')}` }
}

/** The claims of a JWT, unverified. */
export function claimsOf(jwt: string): Json {
  return JSON.parse(Buffer.from(jwt.split('.')[1] as string, 'base64url').toString())
}

export const API = 'https://api.example.test/'

/** A resource with three scopes. */
export function newResource(server: OAuthServer, more: Record<string, unknown> = {}): Promise<Json> {
  return server.manage('POST', '/v1/resources', {
    uri: API,
    name: 'An API',
    scopes: ['orders:read', 'orders:write', 'orders:refund'].map((name) => ({
      name,
      description: `May ${name}`,
    })),
    ...more,
  })
}

export function newClient(server: OAuthServer, more: Record<string, unknown> = {}): Promise<Json> {
  return server.manage('POST', '/v1/clients', { name: 'A client', kind: 'service', ...more })
}
