/**
 * Where a client may have its users sent back to. A redirect URI is compared character by character (RFC 9700, section
 * 2.1), so one that has two readings is refused at registration.
 */
import { invalid } from '../kernel/index.ts'
import type { ClientKind } from './client.ts'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

export function isLoopbackHost(hostname: string): boolean {
  return LOOPBACK.has(hostname)
}

type Rule = (url: URL, text: string) => string | undefined

const wellFormed: Rule = (url, text) => {
  if (!/^[\x21-\x7E]+$/.test(text) || text.includes('\\')) return 'has characters that a URI may not have'
  if (text.includes('#')) return 'has a fragment'
  if (text.includes('*')) return 'has a wildcard; redirect URIs are compared exactly'
  if (url.username !== '' || url.password !== '') return 'has a user name or password'
  if (/(^|\/)(\.|%2e){1,2}(\/|$|\?)/i.test(text.replace(/^[^:]+:\/\//, ''))) return 'has dot segments'
  return undefined
}

const onTheWeb: Rule = (url) => {
  if (url.protocol === 'https:') return undefined
  if (url.protocol === 'http:' && LOOPBACK.has(url.hostname)) return undefined
  return 'must be https, or http on loopback'
}

/** RFC 8252, section 7: loopback, a claimed https URL, or a scheme that is the app's own reversed domain. */
const onDevice: Rule = (url) => {
  if (url.protocol === 'http:') return LOOPBACK.has(url.hostname) ? undefined : 'is http beyond loopback'
  if (url.protocol === 'https:')
    return LOOPBACK.has(url.hostname) ? 'is https on loopback; use http there' : undefined
  return /^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+:$/.test(url.protocol)
    ? undefined
    : 'has a scheme that anyone could claim; use a reversed domain, like com.example.app:/callback'
}

const never: Rule = () => 'is of no use to a client that has no users'

const RULES: Readonly<Record<ClientKind, readonly Rule[]>> = {
  web: [wellFormed, onTheWeb],
  browser: [wellFormed, onTheWeb],
  native: [wellFormed, onDevice],
  service: [never],
}

/** Throws `invalid_request` for the first that breaks a rule. */
export function checkRedirectUris(kind: ClientKind, pointer: string, uris: readonly string[]): void {
  for (const text of uris) {
    const url = URL.parse(text)
    if (!url) throw invalid(pointer, `"${shown(text)}" is not an absolute URI.`)
    for (const rule of RULES[kind]) {
      const broken = rule(url, text)
      if (broken !== undefined) throw invalid(pointer, `"${shown(text)}" ${broken}.`)
    }
  }
  if (new Set(uris).size !== uris.length) throw invalid(pointer, 'Two of them are the same.')
}

/** A serialized origin (RFC 6454): scheme, host, port if it is not the default, and nothing more. */
export function checkOrigins(origins: readonly string[]): void {
  for (const origin of origins) {
    const url = URL.parse(origin)
    if (!url || url.origin !== origin || onTheWeb(url, origin) !== undefined)
      throw invalid(
        '/cors_origins',
        `"${shown(origin)}" is not an https origin like https://app.example.com (http on loopback will do).`,
      )
  }
}

/** The origins of a browser client's own pages: what it may call from unless told otherwise. */
export function originsOf(uris: readonly string[]): string[] {
  return [...new Set(uris.map((uri) => new URL(uri).origin))]
}

function shown(text: string): string {
  return text.slice(0, 100)
}
