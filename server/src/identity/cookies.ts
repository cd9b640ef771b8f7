/**
 * Cookies: the session's, and the one that binds forms to a browser. `__Host-` promises that no other host and no plain
 * http wrote it (RFC 6265bis, section 4.1.3.2). On plain-http loopback neither that nor Secure can be had (Safari drops
 * such cookies); there the port is part of the name, because cookies do not tell ports apart.
 */

export interface CookieNames {
  readonly session: string
  readonly form: string
  /** Which waiting application a person left for their account: see stronger/way-back.ts. */
  readonly back: string
  readonly secure: boolean
}

export function cookiesFor(issuer: string): CookieNames {
  const { protocol, port } = new URL(issuer)
  if (protocol === 'https:')
    return {
      session: '__Host-postern',
      form: '__Host-postern-form',
      back: '__Host-postern-back',
      secure: true,
    }
  const suffix = port === '' ? '' : `-${port}`
  return {
    session: `postern${suffix}`,
    form: `postern-form${suffix}`,
    back: `postern-back${suffix}`,
    secure: false,
  }
}

/** One value of 256 bits, base64url; undefined when there is none, or more than one, which is a guess too many. */
export function readCookie(header: string | string[] | undefined, name: string): string | undefined {
  const text = Array.isArray(header) ? header.join('; ') : (header ?? '')
  const values = text
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
  const value = values.length === 1 ? values[0] : undefined
  return value !== undefined && VALUE.test(value) ? value : undefined
}

/** 32 bytes. */
const VALUE = /^[A-Za-z0-9_-]{43}$/

/** `maxAgeSeconds` 0 deletes it; undefined: until the browser is closed. */
export function cookieText(
  { secure }: Pick<CookieNames, 'secure'>,
  name: string,
  value: string,
  maxAgeSeconds?: number,
): string {
  const parts = [`${name}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax']
  if (secure) parts.push('Secure')
  if (maxAgeSeconds !== undefined) parts.push(`Max-Age=${maxAgeSeconds}`)
  return parts.join('; ')
}
