/** The API of a server elsewhere, with an operator key. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ApiClient,
  ApiRefusal,
  type ApiRequest,
  type ApiResponse,
  ApiUnreachable,
  type Method,
  StreamCut,
} from './api-client.ts'
import { linesOf } from './lines.ts'
import { withQuery } from './query.ts'

const TIMEOUT_MS = 120_000
const MOST_WAITS = 20
const LONGEST_WAIT_SECONDS = 30

export function remoteClient(url: string, operatorKey: string): ApiClient {
  let wasReached = false
  const send = async (
    method: Method,
    path: string,
    request: ApiRequest,
    accept: string,
  ): Promise<Response> => {
    for (let waits = 0; ; waits += 1) {
      const response = await once({ url, operatorKey, wasReached }, method, path, request, accept)
      wasReached = true
      // A 429 did nothing, so any method may be repeated after it.
      if (response.status !== 429 || waits === MOST_WAITS) return response
      const seconds = Number(response.headers.get('retry-after') ?? 1)
      if (!(seconds <= LONGEST_WAIT_SECONDS)) return response
      await response.body?.cancel()
      await sleep(Math.max(0.1, seconds) * 1_000)
    }
  }
  return {
    target: url,
    isLocal: false,
    async request(method, path, request = {}) {
      return read(url, await send(method, path, request, 'application/json'))
    },
    async *stream(method, path, request = {}) {
      const response = await send(method, path, request, 'application/x-ndjson, application/json')
      if (!response.ok) throw new ApiRefusal(await read(url, response))
      if (!response.body) return
      try {
        yield* linesOf(response.body)
      } catch (error) {
        throw new StreamCut('The connection was lost in the middle of the answer.', { cause: error })
      }
    },
    async close() {},
  }
}

interface Server {
  readonly url: string
  readonly operatorKey: string
  readonly wasReached: boolean
}

async function once(
  { url, operatorKey, wasReached }: Server,
  method: Method,
  path: string,
  request: ApiRequest,
  accept: string,
): Promise<Response> {
  const target = url + withQuery(path, request.query)
  // The limit is on the start of the answer: a stream may take as long as it needs.
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(new Error('timeout')), TIMEOUT_MS)
  try {
    return await fetch(target, {
      method,
      signal: patience.signal,
      // The key is for this server, not for wherever it points.
      redirect: 'manual',
      headers: {
        accept,
        authorization: `Bearer ${operatorKey}`,
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    })
  } catch (error) {
    throw unreachable(url, error, wasReached)
  } finally {
    clearTimeout(timer)
  }
}

async function read(url: string, response: Response): Promise<ApiResponse> {
  let text: string
  try {
    text = await response.text()
  } catch (error) {
    throw unreachable(url, error, true)
  }
  const headers = Object.fromEntries(response.headers)
  const isJson = /[/+]json\b/.test(headers['content-type'] ?? '')
  try {
    return { status: response.status, headers, body: isJson && text !== '' ? JSON.parse(text) : text }
  } catch (error) {
    throw new ApiUnreachable(`${url} sent an answer that is not JSON.`, 'not_postern', { cause: error })
  }
}

function unreachable(url: string, error: unknown, wasReached: boolean): ApiUnreachable {
  const { cause, message } = error as { cause?: { code?: unknown; message?: string }; message: string }
  const reason = typeof cause?.code === 'string' ? cause.code : message
  return new ApiUnreachable(`${url} cannot be reached (${reason}).`, reason, { wasReached, cause: error })
}
