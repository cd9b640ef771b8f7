/**
 * The engine's `fetch`: for addresses that clients chose (key sets, metadata documents, logout endpoints). Where it may
 * go is the rule of tokens' own guarded fetch. No redirects, no proxy, bounded in bytes and time.
 */
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { checkedAddress, checkUrl, type FetchGuard, pinnedTo } from '../tokens/index.ts'

const LARGEST_BYTES = 262_144

export function guardedFetch(
  guard: FetchGuard,
): (url: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return async (url, init = {}) => {
    const target = checkUrl(url instanceof Request ? url.url : String(url), guard)
    return send(target, await checkedAddress(target, guard), init)
  }
}

async function send(target: URL, address: string, init: RequestInit): Promise<Response> {
  const body = init.body === undefined || init.body === null ? undefined : String(init.body as string)
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const request = target.protocol === 'https:' ? requestHttps : requestHttp
  request(
    target,
    {
      method: init.method ?? 'GET',
      agent: false,
      lookup: pinnedTo(address),
      headers: {
        ...Object.fromEntries(new Headers(init.headers)),
        ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
      },
      signal: init.signal ?? AbortSignal.timeout(2_500),
    },
    (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        chunks.push(chunk)
        if (bytes > LARGEST_BYTES) response.destroy(new Error(`more than ${LARGEST_BYTES} bytes`))
      })
      response.on('error', reject)
      response.on('end', () => {
        const status = response.statusCode ?? 500
        const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
        const bodyless = status === 204 || status === 304
        resolve(
          new Response(bodyless ? null : Buffer.concat(chunks), {
            status,
            headers: headers as [string, string][],
          }),
        )
      })
    },
  )
    .on('error', reject)
    .end(body)
  return promise
}
