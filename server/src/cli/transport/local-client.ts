/**
 * The API of the deployment in the data folder, in process: the same routes as over the network, without a listening
 * port, as the system user. What it changes is audited like anything else.
 */
import type { Readable } from 'node:stream'
import type { Deployment } from '../deps.ts'
import {
  type ApiClient,
  ApiRefusal,
  type ApiRequest,
  type ApiResponse,
  type Method,
  StreamCut,
} from './api-client.ts'
import { linesOf } from './lines.ts'
import { withQuery } from './query.ts'

export function localClient(deployment: Deployment, target: string): ApiClient {
  const inject = (method: Method, path: string, request: ApiRequest) =>
    deployment.server.inject({
      method,
      url: withQuery(path, request.query),
      headers: {
        authorization: `Bearer ${deployment.systemToken}`,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { payload: JSON.stringify(request.body) }),
      payloadAsStream: true,
    })
  return {
    target,
    isLocal: true,
    async request(method, path, request = {}) {
      const response = await inject(method, path, request)
      return read(response.statusCode, response.headers, response.stream())
    },
    async *stream(method, path, request = {}) {
      const response = await inject(method, path, request)
      const body = response.stream()
      if (response.statusCode > 299)
        throw new ApiRefusal(await read(response.statusCode, response.headers, body))
      try {
        yield* linesOf(body)
      } catch (error) {
        throw new StreamCut('The answer ended half-way.', { cause: error })
      }
    },
    close: () => deployment.close(),
  }
}

async function read(
  status: number,
  given: Readonly<Record<string, number | string | string[] | undefined>>,
  body: Readable,
): Promise<ApiResponse> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body as AsyncIterable<Uint8Array>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const headers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]))
  const isJson = /[/+]json\b/.test(headers['content-type'] ?? '')
  return { status, headers, body: isJson && text !== '' ? (JSON.parse(text) as unknown) : text }
}
