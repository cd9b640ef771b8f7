/**
 * Credentials in a URL. URLs end up in access logs, histories and `Referer`s, so a key that stands in one counts as
 * published, and the request is refused even when a header carries a good one (RFC 6750, section 5.3).
 */

const KEY = /(?<![0-9A-Za-z])[a-z][a-z0-9]{0,15}_(?:live|test)_[0-9A-Za-z]{50}(?![0-9A-Za-z])/
const SHORTEST_KEY = 'a_live_'.length + 50
const JWT = /^eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]+$/

/** Parameters by which other APIs take credentials. A JWT is refused under these alone: links carry others. */
const CREDENTIAL_NAMES: ReadonlySet<string> = new Set(
  'access_token api_key apikey api-key x-api-key key auth authorization bearer'.split(' '),
)

/**
 * The first credential in the path or query of `url`, which may be relative, or undefined: a key anywhere, an access
 * token in a parameter that is named for one, and `presented`, the one from the header, in any parameter.
 */
export function exposedCredential(url: string, presented?: string): string | undefined {
  const query = url.indexOf('?')
  if (query < 0 && !url.includes('_') && !url.includes('%')) return undefined
  const text = url.includes('%') ? decoded(url) : url
  // Most URLs end here, unparsed: this runs for every request.
  const isLong = text.length >= SHORTEST_KEY
  const key = isLong && (text.includes('_live_') || text.includes('_test_')) ? KEY.exec(text) : null
  if (key) return key[0]
  if (query < 0) return undefined
  const isThere = presented !== undefined && presented.length < text.length && text.includes(presented)
  if (!isThere && !text.includes('eyJ')) return undefined
  return exposedParameter(url.slice(query + 1), presented)
}

function exposedParameter(query: string, presented: string | undefined): string | undefined {
  for (const parameter of query.split('&')) {
    const [name = '', ...rest] = parameter.split('=')
    const value = decoded(rest.join('='))
    if (value === presented) return value
    if (CREDENTIAL_NAMES.has(decoded(name).toLowerCase()) && JWT.test(value)) return value
  }
  return undefined
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A malformed escape hides nothing that the raw text does not show.
    return text
  }
}
