/**
 * What a DPoP proof and a request name alike: scheme, host, port and path of an http URI, without query and fragment,
 * normalized (RFC 3986, sections 6.2.2 and 6.2.3, as RFC 9449, section 4.3 asks).
 */

/** ASCII, and none of the characters that a URL parser would quietly drop or turn into others. */
const FORM = /^https?:\/\/(?![/?#])[!#-;=?-[\]_a-z~]+$/i

/** Undefined for what is not an absolute http URI, or names a user: nothing can be meant for it. */
export function httpTarget(uri: string): string | undefined {
  if (!FORM.test(uri)) return undefined
  let url: URL
  try {
    url = new URL(uri)
  } catch {
    return undefined
  }
  const { protocol, host, pathname, username, password } = url
  return username === '' && password === '' ? `${protocol}//${host}${withPlainEscapes(pathname)}` : undefined
}

/** Section 6.2.2: escapes of unreserved characters are undone, all others are written in capitals. */
function withPlainEscapes(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[\w.~-]/.test(character) ? character : escape.toUpperCase()
  })
}
