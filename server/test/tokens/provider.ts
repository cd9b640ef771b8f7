/** For tests: an OpenID provider on loopback, with keys, metadata, and answers that a test can spoil. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JwsAlgorithm } from '../../src/tokens/jws-signature.ts'
import { forge, type Loose } from './forge.ts'

export interface TestProvider {
  readonly issuer: string
  /** How often the JWKS was fetched. */
  fetches: number
  /** What is answered instead, by path. */
  readonly spoiled: Map<string, { status: number; body: string; headers?: Record<string, string> }>
  keys: {
    readonly kid: string
    readonly publicKey: KeyObject
    readonly privateKey: KeyObject
    alg: JwsAlgorithm
  }[]
  addKey(kid: string, alg?: JwsAlgorithm): void
  token(claims: Loose, header?: Loose): string
  close(): Promise<void>
}

export async function startProvider(): Promise<TestProvider> {
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    const spoiled = provider.spoiled.get(path)
    if (path === '/jwks') provider.fetches++
    if (spoiled) return response.writeHead(spoiled.status, spoiled.headers).end(spoiled.body)
    const body =
      path === '/jwks'
        ? {
            keys: provider.keys.map(({ kid, alg, publicKey }) => ({
              ...publicKey.export({ format: 'jwk' }),
              kid,
              alg,
            })),
          }
        : { issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks` }
    return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const provider: TestProvider = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fetches: 0,
    spoiled: new Map(),
    keys: [],
    addKey(kid, alg = 'RS256') {
      const pair =
        alg === 'ES256'
          ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
          : generateKeyPairSync('rsa', { modulusLength: 2048 })
      provider.keys.push({ kid, alg, ...pair })
    },
    token(claims, header = {}) {
      const key = provider.keys.at(-1)
      if (!key) throw new Error('The provider has no key yet.')
      return forge(key.alg, key.privateKey, { alg: key.alg, typ: 'JWT', kid: key.kid, ...header }, claims)
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  provider.addKey('first')
  return provider
}
