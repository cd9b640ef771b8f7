/**
 * The request that the proxy asks about, as one reading and no other. Proxies and upstreams differ in how they decode
 * and normalize a path, so whatever could be a path of another route to one of them is denied to all.
 */

const LONGEST_URI = 8_192

/**
 * The path of an origin-form target (RFC 9112, section 3.2.1), or undefined when it is malformed or ambiguous: dot
 * segments, empty segments, a backslash, a semicolon, an escape of anything that needs none (`%2e`, `%2f`, `%61`) or
 * that would be read twice (`%25`), or of what is no UTF-8.
 */
export function readPath(uri: string): string | undefined {
  if (uri.length > LONGEST_URI || uri.charCodeAt(0) !== 0x2f) return undefined
  const query = uri.indexOf('?')
  const path = query < 0 ? uri : uri.slice(0, query)
  if (PLAIN.test(path)) return DOTS_OR_EMPTY.test(path) ? undefined : path
  if (!ESCAPED.test(path) || DOTS_OR_EMPTY.test(path)) return undefined
  try {
    const decoded = decodeURIComponent(path)
    // Invisible characters and other spellings of a slash or dot: two names that look like one.
    return decoded.isWellFormed() && decoded.normalize('NFKC') === decoded ? decoded : undefined
  } catch {
    return undefined
  }
}

/** RFC 3986's pchar, but for `;`, which some upstreams cut at, and the escape. */
const PLAIN = /^[A-Za-z0-9\-._~!$&'()*+,=:@/]*$/
/** The same with escapes of what may not stand there bare: space " < > [ ] ^ ` { | } and bytes beyond ASCII. */
const ESCAPED =
  /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%(?:2[02]|3[CEce]|5[BDEbde]|60|7[B-Db-d]|[89A-Fa-f][0-9A-Fa-f]))*$/
const DOTS_OR_EMPTY = /\/\/|\/\.{1,2}(?:\/|$)/

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?$/

/** A host in lower case and without its port; undefined when it is none. A trailing dot would be another spelling. */
export function readHost(text: string): string | undefined {
  const known = hosts.get(text)
  if (known !== undefined) return known
  const match = HOST.exec(text)
  if (!match || text.includes('..')) return undefined
  const host = (match[1] === undefined ? text : text.slice(0, -match[1].length - 1)).toLowerCase()
  if (hosts.size >= MOST_HOSTS) hosts.clear()
  hosts.set(text, host)
  return host
}

/** Few hosts are called, many times. */
const hosts = new Map<string, string>()
const MOST_HOSTS = 1_000
