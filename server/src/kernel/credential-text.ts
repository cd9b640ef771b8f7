/** What a credential looks like inside other text: for redaction, and for finding one in a URL. */

/** What an opaque access token begins with, before `_live_`. It has the form of a key, so that whatever finds keys finds it. */
export const ACCESS_TOKEN_PREFIX = 'at'

export function isOpaqueToken(text: string): boolean {
  return text.startsWith(`${ACCESS_TOKEN_PREFIX}_live_`)
}

/** A key of ours, a JWT, or whatever follows an authentication scheme. Global: use with `replace` or `matchAll`. */
const KEY = '\\b[a-z][a-z0-9]{0,15}_(?:live|test)_[0-9A-Za-z]{8,64}'
const JWT = '\\beyJ[\\w-]{5,}\\.[\\w-]{5,}\\.[\\w-]*'
const SCHEME = '\\b(?:Bearer|DPoP|Basic)\\s+[\\w.~+/=-]{8,}'

const ANY = new RegExp(`${KEY}|${JWT}|${SCHEME}`, 'gi')
/** In a URL only a whole key counts: a refusal for something that merely looks alike would be a nuisance. */
const WHOLE_KEY = /\b[a-z][a-z0-9]{0,15}_(?:live|test)_[0-9A-Za-z]{50}(?![0-9A-Za-z])/g

/** Replaces every credential in `text`; a key keeps its prefix and environment, so that a log still helps. */
export function redactCredentials(text: string): string {
  return text.replace(ANY, (found) => {
    const key = /^([a-z][a-z0-9]{0,15}_(?:live|test)_)/.exec(found)
    if (key) return `${key[1]}[redacted]`
    const scheme = /^(Bearer|DPoP|Basic)\s/i.exec(found)
    return scheme ? `${scheme[1]} [redacted]` : '[redacted]'
  })
}

/** The keys that stand in a URL's path, query or fragment, percent-decoding first; at most four. */
export function keysInUrl(url: string): string[] {
  if (!url.includes('_') && !url.includes('%')) return []
  // Escape by escape: a malformed one elsewhere in the URL must not hide a key. Keys are ASCII.
  const text = url.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return [...text.matchAll(WHOLE_KEY)].slice(0, 4).map((match) => match[0])
}
