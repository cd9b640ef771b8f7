/**
 * Where to go after signing in: a path of this application, whatever a link says. What a browser could read as another
 * site is refused rather than mended: `//evil`, a backslash (which is a slash to browsers), a scheme, a control character
 * (which browsers leave out), and all of that encoded, since a proxy in between may decode it.
 */

const LONGEST = 1024
/** Bears no relation to any application: a path that leads away from it leads away from all. */
const NOWHERE = 'https://nowhere.invalid'

export function isSafePath(path: string): boolean {
  if (path.length > LONGEST || !path.startsWith('/')) return false
  // Visible ASCII alone, as URLs are written: no control characters, no spaces, no backslash.
  if (!/^[\x21-\x5b\x5d-\x7e]*$/.test(path)) return false
  if (/^\/(\/|%2f|%5c|%25)/i.test(path) || /%(0[0-9a-f]|1[0-9a-f]|7f)/i.test(path)) return false
  let url: URL
  try {
    url = new URL(path, NOWHERE)
  } catch {
    return false
  }
  // Dot segments go away when a browser reads it: `/.//evil` becomes `//evil`.
  return url.origin === NOWHERE && !/^\/(\/|%2f|%5c)/i.test(url.pathname)
}
