/**
 * Cookies of the application. `__Host-` promises that no other host and no plain http wrote it (RFC 6265bis, section
 * 4.1.3.2). On plain-http loopback neither that nor Secure can be had; there the port is part of the name, because cookies
 * do not tell ports apart.
 */
import { isSecure, type WebConfig } from './web-options.ts'

export interface CookieNames {
  readonly session: string
  /** Of the sign-ins under way, each with its own after this. */
  readonly login: string
  readonly secure: boolean
}

export function cookieNames(config: Pick<WebConfig, 'origin'>): CookieNames {
  if (isSecure(config))
    return { session: '__Host-postern-app', login: '__Host-postern-app-login-', secure: true }
  const { port } = new URL(config.origin)
  const suffix = port === '' ? '' : `-${port}`
  return { session: `postern-app${suffix}`, login: `postern-app${suffix}-login-`, secure: false }
}

/** By name. One that is there twice is left out: someone else may have written either. */
export function readCookies(header: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const twice = new Set<string>()
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0) continue
    const name = pair.slice(0, equals).trim()
    if (found.has(name)) twice.add(name)
    found.set(name, pair.slice(equals + 1).trim())
  }
  for (const name of twice) found.delete(name)
  return found
}

/** `maxAgeSeconds` 0 deletes it. */
export function cookieText(
  name: string,
  value: string,
  about: { readonly secure: boolean; readonly sameSite: 'Lax' | 'Strict'; readonly maxAgeSeconds: number },
): string {
  const { secure, sameSite, maxAgeSeconds } = about
  const parts = [`${name}=${value}`, 'Path=/', 'HttpOnly', `SameSite=${sameSite}`, `Max-Age=${maxAgeSeconds}`]
  return [...parts, ...(secure ? ['Secure'] : [])].join('; ')
}

/** Browsers keep 4,096 bytes of a cookie, name and attributes included; servers take 16 kB of headers in all. */
const CHUNK = 3_600
const MOST_CHUNKS = 3

/** The cookies that hold `value`, under `name`, `name.1` and so on; undefined: it is too large for cookies. */
export function chunksOf(name: string, value: string): Map<string, string> | undefined {
  if (value.length > CHUNK * MOST_CHUNKS) return undefined
  const chunks = new Map<string, string>()
  for (const [index, chunkName] of chunkNames(name).entries()) {
    const chunk = value.slice(index * CHUNK, (index + 1) * CHUNK)
    if (chunk !== '') chunks.set(chunkName, chunk)
  }
  return chunks
}

/** The value again. Chunks of two values do not fit together, and what is sealed then does not open. */
export function joinChunks(name: string, cookies: ReadonlyMap<string, string>): string | undefined {
  if (!cookies.has(name)) return undefined
  return chunkNames(name)
    .map((chunkName) => cookies.get(chunkName) ?? '')
    .join('')
}

export function chunkNames(name: string): string[] {
  return Array.from({ length: MOST_CHUNKS }, (_, index) => (index === 0 ? name : `${name}.${index}`))
}
