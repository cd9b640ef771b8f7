/** A deployment with a gateway that really listens, an upstream that echoes, and a client that sends bytes as told. */
import { createServer, type IncomingHttpHeaders, type RequestOptions, request as send } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type Deployment, openDeployment } from '../../src/app.ts'
import { loadConfig } from '../../src/config.ts'
import type { TestDatabase } from '../databases.ts'
import { type Json, ROOT_SECRET, TestClock } from '../deployment.ts'
import { freePort } from '../postgres-cluster.ts'

export const SECRET = 'a secret between proxy and gateway, 1'
export const OLD_SECRET = 'a secret between proxy and gateway, 0'
export const API = 'https://api.example.test/'
export const OPEN_HOST = 'app.example.test'

export interface GatewayServer {
  readonly deployment: Deployment
  readonly clock: TestClock
  readonly port: number
  readonly issuer: string
  readonly operatorKey: string
  /** A key for the API with `orders:read`. */
  readonly key: { readonly id: string; readonly key: string }
  readonly resource: Json
  manage(method: string, path: string, body?: unknown): Promise<Json>
  secondNode(): Promise<GatewayServer>
  close(): Promise<void>
}

export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly operatorKey?: string
  readonly clock?: TestClock
  readonly realClock?: boolean
}

export async function openGatewayServer(
  database: TestDatabase,
  options: GatewayOptions = {},
): Promise<GatewayServer> {
  const clock = options.clock ?? new TestClock()
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const { location } = database
  const config = loadConfig({
    POSTERN_DATA: location.dataDir,
    POSTERN_ROOT_SECRET: ROOT_SECRET,
    POSTERN_ISSUER: issuer,
    POSTERN_LOG_LEVEL: 'silent',
    POSTERN_ADDRESS_RATE: '0',
    POSTERN_GATEWAY_SECRET: SECRET,
    POSTERN_GATEWAY_SECRET_PREVIOUS: OLD_SECRET,
    POSTERN_GATEWAY_HOSTS: `https://${OPEN_HOST}`,
    ...(location.databaseUrl !== undefined && { POSTERN_DATABASE_URL: location.databaseUrl }),
    ...options.env,
  })
  const deployment = await openDeployment(config, {
    setUp: true,
    ...(options.realClock !== true && { clock }),
  })
  await deployment.server.listen({ port, host: '127.0.0.1' })
  const operatorKey = options.operatorKey ?? deployment.firstKeys?.operatorKey ?? ''
  const manage: GatewayServer['manage'] = async (method, path, body) => {
    const answer = await deployment.server.inject({
      method: method as 'GET',
      url: path,
      headers: { authorization: `Bearer ${operatorKey}` },
      ...(body !== undefined && { payload: body as object }),
    })
    if (answer.statusCode >= 300) throw new Error(`${method} ${path}: ${answer.statusCode} ${answer.body}`)
    return answer.body === '' ? undefined : answer.json()
  }
  const resource =
    options.operatorKey === undefined
      ? await manage('POST', '/v1/resources', {
          uri: API,
          name: 'An API',
          scopes: ['orders:read', 'orders:write'].map((name) => ({ name, description: '' })),
        })
      : await manage('GET', `/v1/resources/${encodeURIComponent(API)}`)
  const key = await manage('POST', '/v1/keys', {
    name: 'a key',
    owner: 'customer-1',
    resource: API,
    scopes: ['orders:read'],
  })
  return {
    deployment,
    clock,
    port,
    issuer,
    operatorKey,
    key,
    resource,
    manage,
    secondNode: () => openGatewayServer(database, { ...options, clock, operatorKey }),
    async close() {
      deployment.server.server.closeAllConnections()
      await deployment.close()
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Headers go out as they are written, in pairs: twice, in any spelling. */
export function ask(
  port: number,
  path: string,
  headers: readonly (readonly [string, string])[],
  { method = 'GET', body = '' }: { method?: string; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = send({
      host: '127.0.0.1',
      port,
      path,
      method,
      headers: headers.flat() as unknown as IncomingHttpHeaders,
      setDefaultHeaders: false,
      agent: false,
    } as unknown as RequestOptions)
    asking.on('error', reject)
    asking.on('response', (answer) => {
      let text = ''
      answer.on('data', (data: Buffer) => (text += data.toString()))
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }))
      answer.on('error', reject)
    })
    asking.end(body)
  })
}

/** Sends these bytes, and answers what comes back until the server ends the connection. */
export function bytes(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    const socket = connect({ port, host: '127.0.0.1' })
    socket.setTimeout(10_000, () => socket.destroy(new Error(`the connection stays open: ${answer}`)))
    socket.on('data', (data: Buffer) => (answer += data.toString('latin1')))
    socket.on('end', () => resolve(answer))
    socket.on('error', reject)
    socket.write(text)
  })
}

export interface Upstream {
  readonly port: number
  /** How many requests came through. */
  readonly seen: () => number
  close(): Promise<void>
}

/** Answers what it was sent, as JSON: whatever a client gets past the proxy is seen in it. */
export async function startUpstream(): Promise<Upstream> {
  let count = 0
  const server = createServer((request, response) => {
    count++
    request.resume()
    const { method, url, rawHeaders, headers } = request
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ method, url, headers, rawHeaders }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => count,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
