/** A leak as a secret scanner reports it: signed with a real key pair on P-256, whose public half is served here. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

const KEY_IDENTIFIER = 'a-key-of-this-demo'

export interface Scanner {
  /** For POSTERN_LEAKS_GITHUB_KEYS_URL. */
  readonly keysUrl: string
  /** Headers and body of a signed report, as GitHub sends it. */
  report(matches: readonly object[]): { headers: Record<string, string>; body: string }
  close(): void
}

export async function startScanner(): Promise<Scanner> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = publicKey.export({ type: 'spki', format: 'pem' })
  const published = { public_keys: [{ key_identifier: KEY_IDENTIFIER, key, is_current: true }] }
  const server: Server = createServer((_request, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(published)),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    keysUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    report(matches) {
      const body = JSON.stringify(matches)
      return {
        body,
        headers: {
          'content-type': 'application/json',
          'github-public-key-identifier': KEY_IDENTIFIER,
          'github-public-key-signature': sign('sha256', Buffer.from(body), privateKey).toString('base64'),
        },
      }
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export interface Killed {
  /** What the running service answered to the key before and after. */
  readonly before: number
  readonly after: number
  /** GitHub's feedback, as Postern answered it. */
  readonly label: string
  /** From sending the report to its answer, and to the first refusal of the running service. */
  readonly reportedMs: number
  readonly refusedMs: number
}

/** Reports `key`, and calls the service with it until it is refused; gives up after `patienceMs`. */
export async function leakKey(
  { posternUrl, ordersUrl, key }: { posternUrl: string; ordersUrl: string; key: string },
  scanner: Scanner,
  patienceMs = 30_000,
): Promise<Killed> {
  const call = async (): Promise<number> => {
    const answer = await fetch(ordersUrl, { headers: { authorization: `Bearer ${key}` } })
    await answer.arrayBuffer()
    return answer.status
  }
  await call()
  const before = await call()

  const { headers, body } = scanner.report([
    {
      token: key,
      type: 'example_api_key',
      url: 'https://github.com/octocat/hello-world/blob/main/.env',
      source: 'content',
    },
  ])
  const startedMs = performance.now()
  const sent = fetch(`${posternUrl}/v1/leaks/github`, { method: 'POST', headers, body }).then(
    async (answer) => {
      if (answer.status !== 200) throw new Error(`The report was answered ${answer.status}.`)
      const [feedback] = (await answer.json()) as { label: string }[]
      return { label: feedback?.label ?? 'none', reportedMs: performance.now() - startedMs }
    },
  )
  let after = await call()
  while (after === 200 && performance.now() - startedMs < patienceMs) {
    await new Promise((resolve) => setTimeout(resolve, 2))
    after = await call()
  }
  return { before, after, refusedMs: performance.now() - startedMs, ...(await sent) }
}
