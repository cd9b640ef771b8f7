/** The query of a request's URL, which may be a path. */

export function searchOf(url: string): string {
  const start = url.indexOf('?')
  return start < 0 ? '' : url.slice(start).replace(/#.*$/s, '')
}

export function queryOf(url: string): URLSearchParams {
  return new URLSearchParams(searchOf(url))
}

/** The path alone, of a URL or a path. */
export function pathOfUrl(url: string): string {
  return url.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
}
