/**
 * The hosts on which people are signed in, and their cookies. Cookies cannot span hosts (`__Host-`), so each host has
 * one of its own; what is in it is good for that host alone.
 */
import { createHash } from 'node:crypto'

export interface BrowserHost {
  /** `https://app.example.com`. */
  readonly origin: string
  /** As a request's Host header has it, in lower case. */
  readonly host: string
  readonly secure: boolean
  /** The session's cookie, and the one that binds a sign-in to the browser. */
  readonly sessionCookie: string
  readonly stateCookie: string
}

export class BrowserHosts {
  readonly #byHost: ReadonlyMap<string, BrowserHost>

  constructor(origins: readonly string[]) {
    this.#byHost = new Map(origins.map(hostOf).map((host) => [host.host, host]))
  }

  /** By the Host header. */
  of(host: string | undefined): BrowserHost | undefined {
    return host === undefined ? undefined : this.#byHost.get(host.toLowerCase())
  }

  ofOrigin(origin: string): BrowserHost | undefined {
    return [...this.#byHost.values()].find((host) => host.origin === origin)
  }
}

function hostOf(origin: string): BrowserHost {
  const { protocol, host, port } = new URL(origin)
  const secure = protocol === 'https:'
  // On plain-http loopback browsers keep no `__Host-` cookie, and do not tell ports apart.
  const name = (suffix: string): string =>
    secure ? `__Host-postern-${suffix}` : `postern-${suffix}-${port === '' ? '80' : port}`
  return { origin, host, secure, sessionCookie: name('app'), stateCookie: name('app-state') }
}

/** What a host's session is to verify: the cookie's value, and the host that it is good for. */
export function sessionCredential(value: string, host: string): string {
  return `${PREFIX}${value}@${host}`
}

export function isSessionCredential(text: string): boolean {
  return text.startsWith(PREFIX) && FORM.test(text)
}

export function hashOfCredential(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

const PREFIX = 'gws.'
const FORM = /^gws\.[\w-]{43}@[a-z0-9.:[\]-]{1,260}$/
const VALUE = /^[\w-]{43}$/

/** The value of a cookie; null when it is there twice, or in no form of ours: which one counts would be a guess. */
export function cookieValue(header: string | undefined, name: string): string | undefined | null {
  if (header === undefined || !header.includes(name)) return undefined
  let value: string | undefined
  for (const pair of header.split(';')) {
    const text = pair.trim()
    if (!text.startsWith(name) || text[name.length] !== '=') continue
    if (value !== undefined) return null
    value = text.slice(name.length + 1)
  }
  return value === undefined || VALUE.test(value) ? value : null
}

/** The same header for the upstream, without the cookies that are ours. */
export function withoutOwnCookies(header: string, { sessionCookie, stateCookie }: BrowserHost): string {
  if (!header.includes(sessionCookie)) return header
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => !pair.startsWith(`${sessionCookie}=`) && !pair.startsWith(`${stateCookie}=`))
    .join('; ')
}

/** A path of the host to come back to: origin-form, so that it cannot name another host. */
export function isReturnPath(path: string): boolean {
  return (
    path.length <= 2_000 && /^\/(?![/\\])[\x21-\x5B\x5D-\x7E]*$/.test(path) && !path.startsWith('/.postern/')
  )
}
