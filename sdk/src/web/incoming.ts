/** A request and an answer as the handlers see them, whatever the framework. */

export interface Incoming {
  readonly method: string
  /** Path and query as they came. */
  readonly url: string
  /** By its name in lower case; several of one name joined. */
  header(name: string): string | undefined
  /** The fields of a form; undefined when there is none that can be read, or it is too large. */
  form(): Promise<URLSearchParams | undefined>
}

export interface Answer {
  readonly status: number
  /** Names in lower case; `set-cookie` may be there several times. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** Nothing that these handlers answer may be kept by anyone, nor name its address to others. */
const ALWAYS = [
  ['cache-control', 'no-store'],
  ['referrer-policy', 'no-referrer'],
  ['x-content-type-options', 'nosniff'],
] as const

export function redirectTo(location: string, cookies: readonly string[] = [], status = 302): Answer {
  return { status, headers: [...ALWAYS, ['location', location], ...setting(cookies)], body: '' }
}

export function json(status: number, body: unknown, cookies: readonly string[] = []): Answer {
  return {
    status,
    headers: [...ALWAYS, ['content-type', 'application/json'], ...setting(cookies)],
    body: JSON.stringify(body),
  }
}

export function page(status: number, html: string, cookies: readonly string[] = []): Answer {
  return {
    status,
    headers: [
      ...ALWAYS,
      ['content-type', 'text/html; charset=utf-8'],
      ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
      ...setting(cookies),
    ],
    body: html,
  }
}

function setting(cookies: readonly string[]): (readonly [string, string])[] {
  return cookies.map((cookie) => ['set-cookie', cookie] as const)
}
