/** For tests: a secret scanner with a real key pair on P-256, which publishes its public keys as GitHub and GitLab do. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TestScanner {
  readonly keysUrl: string
  /** What the public keys' URL was asked, with the `If-None-Match` of each. */
  readonly asked: (string | undefined)[]
  /** Answers with this status instead. */
  broken: number | undefined
  /** Adds a key pair and signs with it from now on. */
  newKey(identifier: string, curve?: string): void
  /** Headers and body of a signed report. */
  sign(report: unknown, header?: 'github' | 'gitlab'): { headers: Record<string, string>; body: string }
  close(): Promise<void>
}

export async function startScanner(): Promise<TestScanner> {
  const keys: { identifier: string; publicKey: KeyObject; privateKey: KeyObject }[] = []
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.headers['if-none-match'])
    if (scanner.broken !== undefined) return response.writeHead(scanner.broken).end()
    const etag = `"${keys.length}"`
    if (request.headers['if-none-match'] === etag) return response.writeHead(304, { etag }).end()
    const body = {
      public_keys: keys.map(({ identifier, publicKey }, index) => ({
        key_identifier: identifier,
        key: publicKey.export({ format: 'pem', type: 'spki' }),
        is_current: index === keys.length - 1,
      })),
    }
    return response.writeHead(200, { 'content-type': 'application/json', etag }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const scanner: TestScanner = {
    keysUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    asked,
    broken: undefined,
    newKey(identifier, namedCurve = 'P-256') {
      keys.push({ identifier, ...generateKeyPairSync('ec', { namedCurve }) })
    },
    sign(report, header = 'github') {
      const key = keys.at(-1) as (typeof keys)[number]
      const body = typeof report === 'string' ? report : JSON.stringify(report)
      return {
        body,
        headers: {
          'content-type': 'application/json',
          [`${header}-public-key-identifier`]: key.identifier,
          [`${header}-public-key-signature`]: sign('sha256', Buffer.from(body), key.privateKey).toString(
            'base64',
          ),
        },
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  scanner.newKey('first')
  return scanner
}
