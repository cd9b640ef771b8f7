/**
 * Whether a page of this application made a request, for those that a browser sends with the session's cookie by itself:
 * a page elsewhere can make it do so (CSRF). SameSite does not tell a sibling host apart; these do.
 */

type Header = (name: string) => string | undefined

/** A page elsewhere cannot set it without asking by CORS first, which is answered by nobody. */
export const CSRF_HEADER = 'x-csrf'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** For an API call with the cookie. What changes something carries the header `X-CSRF`, too. */
export function mayUseSession(method: string, header: Header, origin: string): boolean {
  if (!SAFE_METHODS.has(method)) return header(CSRF_HEADER) !== undefined && !isForeign(header, origin)
  // A link from elsewhere: nobody but the user sees what comes back.
  const isNavigation = method === 'GET' && header('sec-fetch-mode') === 'navigate' && isDocument(header)
  return (isNavigation && header('origin') === undefined) || !isForeign(header, origin)
}

/** For a form or a script of this application that ends or renews its session: it has to be proven. */
export function isProvenOwn(header: Header, origin: string): boolean {
  const isProven = header('sec-fetch-site') === 'same-origin' || header('origin') === origin
  return isProven && !isForeign(header, origin)
}

function isForeign(header: Header, origin: string): boolean {
  const site = header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const from = header('origin')
  if (from === undefined || from === origin) return false
  // A form of a page that sends no referrer has this origin; then the other header has to vouch for it.
  return !(from === 'null' && site === 'same-origin')
}

/** A page in a frame elsewhere is a navigation, too. */
function isDocument(header: Header): boolean {
  return header('sec-fetch-dest') === 'document'
}
