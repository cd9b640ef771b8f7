/** The options of `createWeb()`: parsed once, refused with a sentence that says what is expected. */
import type { Verifier } from '../verifier.ts'
import { isSafePath } from './return-address.ts'
import type { SessionStore } from './session-store.ts'

export interface WebOptions {
  /** Where Postern runs: `https://auth.example.com`. Plain `http://` is taken for loopback alone. */
  readonly issuer: string | URL | undefined
  /** The client's id, `cli_…`, of kind `web`. */
  readonly clientId: string | undefined
  /** Its secret. Taken as `process.env` has it; `undefined` throws with a hint. */
  readonly clientSecret: string | undefined
  /**
   * Where browsers reach this application: `https://shop.example.com`. What a request says of its own host is never
   * believed.
   */
  readonly origin: string | undefined
  /**
   * Keys that cookies are sealed with, each 32 random bytes in base64 (`openssl rand -base64 32`): a list, or one text
   * with spaces between. The first seals, all of them open: put a new one in front, and take the old one away after
   * `lifetimeSeconds`.
   */
  readonly keys: string | readonly string[] | undefined
  /** The URI of the API that access tokens are for: the same as the verifier's. */
  readonly resource: string
  /** Scopes of that API, and OpenID ones such as `profile`; `openid` is always asked for. */
  readonly scopes?: readonly string[]
  /** Where the handlers are. Default `/auth`: `/auth/login`, `/auth/callback` and so on. */
  readonly path?: string
  /** Where a browser is sent after signing out, registered as `--logout-uri`. Default `/`. */
  readonly afterLogout?: string
  /** A page of the application for sign-ins that fail: it gets `?sign_in_error=`. Default: a page of its own. */
  readonly failurePath?: string
  /** Lets `/auth/session` say within a second that a session has ended. */
  readonly verifier?: Verifier
  /** Keeps sessions on the server, with an id in the cookie. Default: sealed, in the cookie itself. */
  readonly store?: SessionStore
  /** From sign-in to the session's end. Default 12 hours. */
  readonly lifetimeSeconds?: number
  /**
   * Of the session's cookie. Default `Lax`. `Strict` keeps it back when a user comes by a link from elsewhere, and from
   * the first page after signing in: for applications whose pages fetch what they show.
   */
  readonly sameSite?: 'Lax' | 'Strict'
  /** How long Postern may take to answer. Default 5 seconds. */
  readonly timeoutSeconds?: number
  /** In place of the global `fetch`. */
  readonly fetch?: typeof fetch
}

/** What the options say, checked and complete. */
export interface WebConfig {
  readonly issuer: URL
  readonly clientId: string
  readonly clientSecret: string
  readonly origin: string
  readonly keys: readonly Uint8Array<ArrayBuffer>[]
  readonly resource: string
  readonly scope: string
  readonly path: string
  readonly redirectUri: string
  readonly afterLogout: string
  readonly failurePath: string | undefined
  readonly verifier: Verifier | undefined
  readonly store: SessionStore | undefined
  readonly lifetimeMs: number
  readonly sameSite: 'Lax' | 'Strict'
  readonly timeoutSeconds: number
  readonly fetch: typeof fetch | undefined
}

/** Throws a TypeError that names the option. The value is never part of the message where it may be secret. */
export function parseWebOptions(options: WebOptions): WebConfig {
  if (typeof options !== 'object' || options === null)
    throw new TypeError(
      'createWeb expects an object with issuer, clientId, clientSecret, origin, keys and resource.',
    )
  const origin = originOf(options.origin)
  const path = pathOf('path', options.path ?? '/auth').replace(/\/+$/, '')
  const { verifier, resource } = options
  if (verifier !== undefined && verifier.resource !== resource)
    throw new TypeError(
      `createWeb: resource must be the verifier's, ${verifier.resource}: it refuses tokens for another.`,
    )
  return {
    issuer: webUrl('issuer', options.issuer),
    clientId: text('clientId', options.clientId),
    clientSecret: text('clientSecret', options.clientSecret),
    origin,
    keys: keysOf(options.keys),
    resource: text('resource', resource),
    scope: scopeOf(options.scopes ?? []),
    path,
    redirectUri: `${origin}${path}/callback`,
    afterLogout: `${origin}${pathOf('afterLogout', options.afterLogout ?? '/')}`,
    failurePath: options.failurePath === undefined ? undefined : pathOf('failurePath', options.failurePath),
    verifier,
    store: options.store,
    lifetimeMs: seconds('lifetimeSeconds', options.lifetimeSeconds ?? 12 * 3600, 60, 90 * 86_400) * 1000,
    sameSite: sameSiteOf(options.sameSite ?? 'Lax'),
    timeoutSeconds: seconds('timeoutSeconds', options.timeoutSeconds ?? 5, 0.1, 60),
    fetch: options.fetch,
  }
}

/** Whether cookies can have Secure and the prefix `__Host-`: https, or else loopback. */
export function isSecure({ origin }: Pick<WebConfig, 'origin'>): boolean {
  return origin.startsWith('https:')
}

function webUrl(name: string, value: unknown): URL {
  const expected = `createWeb: ${name} must be an https URL, or http on localhost`
  let url: URL
  try {
    url = new URL(String(value))
  } catch {
    throw new TypeError(`${expected}.${value === undefined ? ' It is undefined: is its variable set?' : ''}`)
  }
  const isLoopback = /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))
    throw new TypeError(`${expected}.`)
  if (url.username || url.password || url.search || url.hash)
    throw new TypeError(`${expected}, without user, query or fragment.`)
  return url
}

function originOf(value: unknown): string {
  const url = webUrl('origin', value)
  if (url.pathname !== '/')
    throw new TypeError('createWeb: origin must be scheme, host and port alone; the rest goes into path.')
  return url.origin
}

function text(name: string, value: unknown): string {
  if (typeof value === 'string' && /^[\x21-\x7e]{1,2048}$/.test(value)) return value
  throw new TypeError(
    `createWeb: ${name} must be text without spaces or line breaks.` +
      (value === undefined ? ' It is undefined: is its variable set?' : ''),
  )
}

function pathOf(name: string, value: unknown): string {
  if (typeof value === 'string' && isSafePath(value) && !/[?#]/.test(value)) return value
  throw new TypeError(`createWeb: ${name} must be a path of this application, such as "/auth".`)
}

const KEY = /^[A-Za-z0-9+/_-]{43}=?$/

function keysOf(given: unknown): Uint8Array<ArrayBuffer>[] {
  const list: unknown[] =
    typeof given === 'string' ? given.split(/[\s,]+/) : Array.isArray(given) ? given : []
  const keys = list.filter((key) => key !== '')
  if (keys.length === 0 || keys.length > 10 || !keys.every((key) => typeof key === 'string' && KEY.test(key)))
    throw new TypeError(
      'createWeb: keys must be one to ten keys of 32 random bytes each, in base64: openssl rand -base64 32.' +
        (given === undefined ? ' It is undefined: is its variable set?' : ''),
    )
  return keys.map((key) =>
    Uint8Array.from(atob((key as string).replaceAll('-', '+').replaceAll('_', '/')), (character) =>
      character.charCodeAt(0),
    ),
  )
}

function scopeOf(scopes: readonly string[]): string {
  if (
    !Array.isArray(scopes) ||
    !scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(String(scope)))
  )
    throw new TypeError("createWeb: scopes must be a list of scopes: ['orders:read', 'orders:write'].")
  return [...new Set(['openid', ...scopes])].join(' ')
}

function seconds(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw new TypeError(`createWeb: ${name} must be a number from ${least} to ${most}.`)
}

function sameSiteOf(value: unknown): 'Lax' | 'Strict' {
  if (value === 'Lax' || value === 'Strict') return value
  throw new TypeError('createWeb: sameSite must be "Lax" or "Strict".')
}
