/**
 * Fetches from an address that somebody else chose, without lending them this machine's place in the network: https
 * alone, public addresses alone, and the connection goes to the very address that was checked (a name that answers
 * differently the second time gains nothing). No redirects, bounded in bytes and time, no proxy, no cookies.
 */
import { lookup } from 'node:dns/promises'
import { type IncomingHttpHeaders, request as requestHttp } from 'node:http'
import { request as requestHttps, type RequestOptions } from 'node:https'
import type { LookupFunction } from 'node:net'
import type ipaddr from 'ipaddr.js'
import { type CidrList, inCidrs, parseAddress } from '../kernel/index.ts'

export interface FetchGuard {
  /** Lets http and https reach loopback: only where the deployment itself is on loopback. */
  readonly allowLoopback: boolean
  /** Networks that an operator opened by name, to which plain http goes as well. Link-local ones stay closed. */
  readonly allow?: CidrList
  /** Names to addresses; the system's resolver unless told. */
  readonly resolve?: (host: string) => Promise<readonly { readonly address: string }[]>
  readonly timeoutMs?: number
  readonly largestBytes?: number
  /** What comes beyond `largestBytes` is left unread instead of refused: for an answer that is only noted. */
  readonly cutLongAnswers?: boolean
}

export interface GuardedRequest {
  readonly method?: 'GET' | 'POST'
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** Whatever was answered, redirects included: they are not followed. */
export interface GuardedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Why nothing was fetched: for the operator's log, not for a stranger. */
export class FetchRefused extends Error {
  override readonly name = 'FetchRefused'
}

const TIMEOUT_MS = 5_000
const LARGEST_BYTES = 262_144

/** Throws `FetchRefused`, or an error of the network. */
export async function fetchGuardedJson(url: string, guard: FetchGuard): Promise<unknown> {
  const { status, text } = await fetchGuarded(url, guard, { headers: { accept: 'application/json' } })
  const { origin } = new URL(url)
  if (status !== 200) throw new FetchRefused(`${origin} answered ${status}.`)
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new FetchRefused(`${origin} did not answer JSON.`)
  }
}

/** Throws `FetchRefused`, or an error of the network. The time counts from here: for finding the name, too. */
export async function fetchGuarded(
  url: string,
  guard: FetchGuard,
  request: GuardedRequest = {},
): Promise<GuardedAnswer> {
  const target = checkUrl(url, guard)
  const signal = AbortSignal.timeout(guard.timeoutMs ?? TIMEOUT_MS)
  const late = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(new FetchRefused(`${target.origin} took too long.`))),
  )
  late.catch(() => {})
  const address = await Promise.race([checkedAddress(target, guard), late])
  return Promise.race([send(target, address, guard, request, signal), late])
}

/** Whether the URL may be asked at all; throws otherwise. Says nothing about where its name leads. */
export function checkUrl(
  url: string,
  { allowLoopback, allow = [] }: Pick<FetchGuard, 'allowLoopback' | 'allow'>,
): URL {
  if (!URL.canParse(url) || url.length > 2_048) throw new FetchRefused('This is not a URL.')
  const target = new URL(url)
  if (target.username !== '' || target.password !== '')
    throw new FetchRefused('A URL may not hold a password.')
  if (target.hash !== '') throw new FetchRefused('A URL to fetch has no fragment.')
  const plain = target.protocol === 'http:' && (allowLoopback || allow.length > 0)
  if (target.protocol !== 'https:' && !plain) throw new FetchRefused('Only https is fetched.')
  return target
}

/** Where the URL's name leads, all of it allowed; the connection has to go there and nowhere else (`pinnedTo`). */
export async function checkedAddress(target: URL, guard: FetchGuard): Promise<string> {
  const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
  const resolve = guard.resolve ?? ((name: string) => lookup(name, { all: true }))
  const addresses = parseAddress(host) ? [host] : (await resolve(host)).map(({ address }) => address)
  // All of them: a name with one public address must not bring its private one along.
  const refused = addresses.find((address) => !mayReach(address, target, guard))
  if (refused !== undefined || addresses.length === 0)
    throw new FetchRefused(`${target.hostname} leads to an address that may not be reached from here.`)
  return addresses[0] as string
}

function mayReach(address: string, { protocol }: URL, { allowLoopback, allow = [] }: FetchGuard): boolean {
  const parsed = parseAddress(address)
  if (!parsed) return false
  const range = parsed.range()
  // Where the machines of clouds hand out their own credentials: no list opens it.
  if (range === 'linkLocal') return false
  if (inCidrs(address, allow)) return true
  if (range === 'loopback') return allowLoopback
  return range === 'unicast' && isAllotted(parsed) && protocol === 'https:'
}

/**
 * `unicast` is what is left when every reserved, private, translated and tunnelled block is taken away; of IPv6, only
 * 2000::/3 has been given to anybody (the old `::a.b.c.d` is outside of it).
 */
function isAllotted(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return address.kind() === 'ipv4' || ((address.toByteArray()[0] as number) & 0xe0) === 0x20
}

/** A resolver that answers the checked address whatever it is asked. */
export function pinnedTo(address: string): LookupFunction {
  const family = address.includes(':') ? 6 : 4
  return (_host, options, callback) =>
    options.all ? callback(null, [{ address, family }]) : callback(null, address, family)
}

async function send(
  target: URL,
  address: string,
  guard: FetchGuard,
  { method = 'GET', headers, body }: GuardedRequest,
  signal: AbortSignal,
): Promise<GuardedAnswer> {
  const { largestBytes = LARGEST_BYTES, cutLongAnswers = false } = guard
  const options: RequestOptions = {
    method,
    agent: false,
    lookup: pinnedTo(address),
    signal,
    headers: {
      'user-agent': 'postern',
      ...headers,
      ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }),
    },
  }
  const { promise, resolve, reject } = Promise.withResolvers<GuardedAnswer>()
  const request = target.protocol === 'https:' ? requestHttps : requestHttp
  request(target, options, (response) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const finish = (): void =>
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        text: Buffer.concat(chunks).subarray(0, largestBytes).toString('utf8'),
      })
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= largestBytes) return
      if (cutLongAnswers) finish()
      else reject(new FetchRefused(`${target.origin} answered more than ${largestBytes} bytes.`))
      response.destroy()
    })
    response.on('error', reject)
    response.on('close', () => reject(new FetchRefused(`${target.origin} broke off.`)))
    response.on('end', finish)
  })
    .on('error', reject)
    .end(body)
  return promise
}
