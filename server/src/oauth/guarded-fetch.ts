/**
 * The engine's `fetch`: for addresses that clients chose (key sets, metadata documents, logout endpoints). https alone,
 * public addresses alone, and the connection goes to the very address that was checked, so that a name which answers
 * differently the second time gains nothing. No redirects, no proxy, bounded in bytes and time.
 */
import { lookup } from 'node:dns/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { parseAddress } from '../kernel/index.ts'

export interface FetchGuard {
  /** Lets http and https reach loopback: only where the deployment itself is on loopback. */
  readonly allowLoopback: boolean
}

const LARGEST_BYTES = 262_144

export function guardedFetch(
  guard: FetchGuard,
): (url: string | URL | Request, init?: RequestInit) => Promise<Response> {
  return async (url, init = {}) => {
    const target = new URL(url instanceof Request ? url.url : url)
    if (target.protocol !== 'https:' && !(target.protocol === 'http:' && guard.allowLoopback))
      throw new Error(`${target.protocol} is not fetched`)
    return send(target, await checkedAddress(target, guard), init)
  }
}

/** All addresses of the name must be allowed: one that is public must not bring a private one along. */
async function checkedAddress(target: URL, guard: FetchGuard): Promise<string> {
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
  const addresses = parseAddress(host)
    ? [host]
    : (await lookup(host, { all: true })).map(({ address }) => address)
  const refused = addresses.find((address) => !mayReach(address, target, guard))
  if (refused !== undefined || addresses.length === 0)
    throw new Error(`${target.hostname} leads to an address that may not be reached from here`)
  return addresses[0] as string
}

function mayReach(address: string, { protocol }: URL, { allowLoopback }: FetchGuard): boolean {
  const range = parseAddress(address)?.range()
  if (range === 'loopback') return allowLoopback
  return range === 'unicast' && protocol === 'https:'
}

async function send(target: URL, address: string, init: RequestInit): Promise<Response> {
  const family = address.includes(':') ? 6 : 4
  const pinned: LookupFunction = (_host, options, callback) =>
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family)
  const body = init.body === undefined || init.body === null ? undefined : String(init.body as string)
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const request = target.protocol === 'https:' ? requestHttps : requestHttp
  request(
    target,
    {
      method: init.method ?? 'GET',
      agent: false,
      lookup: pinned,
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
