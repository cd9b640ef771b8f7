/**
 * A stand-in for Postern's `POST /v1/verify`, in this process, for what a real server does not do on demand: hang,
 * fail, answer nonsense, or answer members that the SDK does not know yet.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface Question {
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  readonly path: string
}

/** What to answer: JSON with status 200, or whatever the function writes. */
export type Script = object | ((response: ServerResponse, question: Question) => void)

export interface FakeServer {
  readonly url: string
  /** Everything that was asked, in order. */
  readonly questions: Question[]
  /** The answer from now on. */
  script: Script
}

export async function fakeServer(t: TestContext, script: Script): Promise<FakeServer> {
  const questions: Question[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (text += chunk))
    request.on('end', () => {
      // The feed has a server of its own: this one is of a version without.
      if (request.url?.startsWith('/v1/feed/')) return answerJson(response, {}, 404)
      const body = JSON.parse(text || '{}') as Record<string, unknown>
      if (request.url === '/v1/usage/reports') return answerJson(response, { taken: true, ignored: 0 })
      const question = { body, headers: request.headers, path: request.url ?? '' }
      questions.push(question)
      if (typeof fake.script === 'function') fake.script(response, question)
      else answerJson(response, fake.script)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const fake: FakeServer = { url: `http://127.0.0.1:${port}`, questions, script }
  return fake
}

export function answerJson(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
