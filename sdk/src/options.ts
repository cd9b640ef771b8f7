/** The verifier's configuration: parsed once, refused with a sentence that says what is expected. */
import type { FeedState } from './feed/knowledge.ts'
import { isCredentialText } from './key-format.ts'
import type { Environment, Result } from './principal.ts'

export interface VerifierOptions {
  /** Where Postern runs: `https://auth.example.com`. Plain `http://` is taken for loopback alone. */
  readonly server: string | URL
  /**
   * This service's own credential: a key with the scope `verify` that may ask about `resource`. Taken as
   * `process.env` has it; `undefined` throws with a hint.
   */
  readonly credential: string | undefined
  /** The URI of the API that this service is (RFC 8707). */
  readonly resource: string
  /** Accept callers of this tenant (`ten_…`) only. */
  readonly tenant?: string
  /** Which keys to accept. Default `live`. */
  readonly environment?: Environment | 'any'
  /**
   * Where callers reach this API, with the path that a proxy takes off, if any. DPoP proofs are made for this URL. Default:
   * the origin of `resource`. What a request says of its own host is never believed: callers write `Host` and
   * `X-Forwarded-*`.
   */
  readonly publicUrl?: string
  /** A further header to read a credential from, beside `Authorization` and `X-API-Key`. */
  readonly legacyHeader?: string
  /**
   * Follow the feed of revocations, and verify from what it tells. Default true. `false` is for functions that live for
   * one request: they ask the server, and keep its answers for `cacheSeconds`.
   */
  readonly live?: boolean
  /**
   * How long an answer may be reused without the feed. Default 5 seconds, 0 asks for every request. With the feed the
   * server's own limit for the resource (`cache_seconds`) is the end of every answer, and this one as well if it is set.
   */
  readonly cacheSeconds?: number
  /** How many credentials are kept. Default 10,000, of about 700 bytes each, and more with `metadata`. */
  readonly cacheEntries?: number
  /** How long the server may take to answer before the caller gets 503. Default 2 seconds. */
  readonly timeoutSeconds?: number
  /** How often the server may be asked in the long run; bursts of twice as many pass. Default 200 a second. */
  readonly asksPerSecond?: number
  /**
   * Count the requests that are decided here, and report the counts to the server every second. Default: whatever `live`
   * is. Without it, the server counts the questions that it is asked.
   */
  readonly usage?: boolean
  /** Called when what is known of the feed becomes older or current again: see `status()`. */
  readonly onStateChange?: (state: FeedState, previous: FeedState) => void
  /**
   * Called with each answer of `verify`, before its caller has it: for metrics by `code`, tenant or client. It runs within the
   * request, so it should do little; what it throws is not heard. Counters alone need no hook: see `status()`.
   */
  readonly onDecision?: (result: Result) => void
  /** Takes what the operator of this service should know. No credential stands in it. Default `console.warn`. */
  readonly onWarning?: (message: string) => void
  /** In place of the global `fetch`, for a proxy or client certificates. */
  readonly fetch?: typeof fetch
}

/** What the options say, checked and complete. */
export interface Config {
  /** The base URL of the server, without a slash at its end. */
  readonly server: string
  readonly credential: string
  readonly resource: string
  readonly tenant: string | undefined
  readonly environment: Environment | 'any'
  /** Without a slash at its end; undefined: no proof can be made for this API. */
  readonly publicUrl: string | undefined
  readonly legacyHeader: string | undefined
  readonly live: boolean
  readonly usage: boolean
  /** Without the feed. */
  readonly cacheMs: number
  /** With it. */
  readonly liveCacheMs: number
  readonly cacheEntries: number
  readonly timeoutMs: number
  readonly asksPerSecond: number
  readonly onStateChange: (state: FeedState, previous: FeedState) => void
  /** Undefined where nobody listens, which then costs nothing. */
  readonly onDecision: ((result: Result) => void) | undefined
  readonly onWarning: (message: string) => void
  readonly fetch: typeof fetch
}

/** Throws a TypeError that names the option. The value is never part of the message where it may be secret. */
export function parseOptions(options: VerifierOptions): Config {
  if (typeof options !== 'object' || options === null)
    throw new TypeError('createVerifier expects an object with server, credential and resource.')
  return {
    server: baseUrl(options.server),
    credential: ownCredential(options.credential),
    resource: resourceUri(options.resource),
    tenant: tenantId(options.tenant),
    environment: environment(options.environment),
    publicUrl: publicUrl(options.publicUrl, options.resource),
    legacyHeader: headerName(options.legacyHeader),
    live: flag('live', options.live) ?? true,
    usage: flag('usage', options.usage) ?? options.live ?? true,
    cacheMs: number('cacheSeconds', options.cacheSeconds ?? 5, 0, 3600) * 1000,
    liveCacheMs: (options.cacheSeconds ?? 3600) * 1000,
    cacheEntries: whole('cacheEntries', options.cacheEntries ?? 10_000, 0, 10_000_000),
    timeoutMs: number('timeoutSeconds', options.timeoutSeconds ?? 2, 0.01, 60) * 1000,
    asksPerSecond: number('asksPerSecond', options.asksPerSecond ?? 200, 1, 1_000_000),
    onStateChange: func('onStateChange', options.onStateChange) ?? (() => {}),
    onDecision: func('onDecision', options.onDecision),
    onWarning: func('onWarning', options.onWarning) ?? ((message) => console.warn(message)),
    fetch: func('fetch', options.fetch) ?? globalFetch,
  }
}

/** Looked up at each call: tracing tools replace the global one after this module was loaded. */
const globalFetch: typeof fetch = (...about) => globalThis.fetch(...about)

function baseUrl(server: unknown): string {
  const expected = 'the base URL of the Postern server, such as "https://auth.example.com"'
  let url: URL
  try {
    url = new URL(String(server))
  } catch {
    throw new TypeError(`createVerifier: server must be ${expected}.`)
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new TypeError(`createVerifier: server must be ${expected}, with https.`)
  if (url.protocol === 'http:' && !isLoopback(url.hostname))
    throw new TypeError(
      "createVerifier: server must use https: over plain http every caller's credential can be read on the way. " +
        'http is taken for localhost, 127.0.0.0/8 and [::1] only.',
    )
  if (url.username || url.password || url.search || url.hash)
    throw new TypeError(`createVerifier: server must be ${expected}, without user, query or fragment.`)
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/** `hostname` as URL writes it: IPv4 in four decimals, IPv6 in brackets. */
function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function ownCredential(credential: unknown): string {
  if (typeof credential === 'string' && isCredentialText(credential)) return credential
  throw new TypeError(
    "createVerifier: credential must be this service's own key, with the scope verify: text without spaces or line " +
      `breaks. It is ${credential === undefined ? 'undefined: is its environment variable set?' : 'something else.'}`,
  )
}

/** RFC 8707, section 2: an absolute URI without a fragment. */
function resourceUri(resource: unknown): string {
  if (typeof resource === 'string' && /^[a-z][a-z0-9+.-]*:[^\s#]+$/i.test(resource)) return resource
  throw new TypeError(
    'createVerifier: resource must be the URI under which this API is registered, such as "https://api.example.com".',
  )
}

function publicUrl(given: unknown, resource: string): string | undefined {
  try {
    const url = new URL(String(given ?? resource))
    if (/^https?:$/.test(url.protocol))
      return given === undefined ? url.origin : `${url.origin}${url.pathname.replace(/\/+$/, '')}`
  } catch {
    // Said below.
  }
  if (given === undefined) return undefined
  throw new TypeError('createVerifier: publicUrl must be an http URL, such as "https://api.example.com".')
}

function tenantId(tenant: unknown): string | undefined {
  if (tenant === undefined || (typeof tenant === 'string' && /^ten_[0-9A-Za-z]{22}$/.test(tenant)))
    return tenant
  throw new TypeError('createVerifier: tenant must be the id of a tenant, "ten_" and 22 characters.')
}

function environment(environment: unknown): Environment | 'any' {
  if (environment === undefined) return 'live'
  if (environment === 'live' || environment === 'test' || environment === 'any') return environment
  throw new TypeError('createVerifier: environment must be "live", "test" or "any".')
}

function headerName(name: unknown): string | undefined {
  if (name === undefined) return undefined
  const lower = String(name).toLowerCase()
  // A cookie is sent by the browser without its user's doing: a key read from it would invite forged requests.
  if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(lower) && !['authorization', 'x-api-key', 'cookie'].includes(lower))
    return lower
  throw new TypeError(
    'createVerifier: legacyHeader must be the name of one more header, such as "X-Acme-Token"; ' +
      'Authorization and X-API-Key are always read, and Cookie never is.',
  )
}

function number(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw new TypeError(`createVerifier: ${name} must be a number from ${least} to ${most}.`)
}

function whole(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value)) return number(name, value, least, most)
  throw new TypeError(`createVerifier: ${name} must be a whole number from ${least} to ${most}.`)
}

function flag(name: string, value: unknown): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value
  throw new TypeError(`createVerifier: ${name} must be true or false.`)
}

function func<Func>(name: string, value: Func | undefined): Func | undefined {
  if (value === undefined || typeof value === 'function') return value
  throw new TypeError(`createVerifier: ${name} must be a function.`)
}
