/** Postern itself on SQLite in this process, with one resource, and a key of this service's own. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDeployment } from '../../../server/src/app.ts'
import { loadConfig } from '../../../server/src/config.ts'

type Members = Readonly<Record<string, unknown>>

export interface RealServer {
  readonly url: string
  /** A key with the scope `verify`. */
  readonly credential: string
  /** Calls the management API as its first operator; throws unless it succeeds. */
  call(method: string, path: string, body?: Members): Promise<Record<string, never> & Members>
  issue(members?: Members): Promise<{ readonly id: string; readonly key: string }>
  close(): Promise<void>
}

export const ORDERS = 'https://orders.example.com'

export async function realServer(): Promise<RealServer> {
  const data = mkdtempSync(join(tmpdir(), 'postern-sdk-server-'))
  const config = loadConfig({ POSTERN_DATA: data, POSTERN_LOG_LEVEL: 'fatal' })
  const deployment = await openDeployment(config, { setUp: true })
  await deployment.server.listen({ port: 0, host: '127.0.0.1' })
  const { port } = deployment.server.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const operatorKey = deployment.firstKeys?.operatorKey

  async function call(method: string, path: string, body?: Members) {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operatorKey}`,
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return JSON.parse(text) as Record<string, never> & Members
  }

  const scopes = ['orders:read', 'orders:write'].map((name) => ({ name, description: name }))
  await call('POST', '/v1/resources', { uri: ORDERS, name: 'Orders', scopes })
  const operator = await call('POST', '/v1/operators', {
    name: 'orders',
    scopes: ['verify'],
    resources: [ORDERS],
  })
  return {
    url,
    credential: String(operator['key']),
    call,
    issue: async (members = {}) => {
      const key = { name: 'a key', owner: 'acct_7', resource: ORDERS, scopes: ['orders:read'], ...members }
      const issued = await call('POST', '/v1/keys', key)
      return { id: String(issued['id']), key: String(issued['key']) }
    },
    close: async () => {
      await deployment.close()
      rmSync(data, { recursive: true, force: true })
    },
  }
}
