/**
 * One setting's text as its value. A wrong one throws a sentence that names the setting, the fault and what is expected;
 * a secret's text is never in it.
 */
import { accessSync, constants } from 'node:fs'
import { isIP } from 'node:net'
import { isId, parseCidrs } from '../kernel/index.ts'
import { ConfigError } from './config-error.ts'
import type { Given } from './gather.ts'
import { isLoopback } from './check-together.ts'
import { nearest } from './nearest.ts'

export function parseInteger(given: Given, from: number, to: number): number {
  const value = /^\d{1,9}$/.test(given.text.trim()) ? Number(given.text) : Number.NaN
  if (!(value >= from && value <= to)) throw wrong(given, `a whole number from ${from} to ${to}`)
  return value
}

const YES = new Set(['true', '1', 'yes', 'on'])
const NO = new Set(['false', '0', 'no', 'off'])

export function parseFlag(given: Given): boolean {
  const text = given.text.trim().toLowerCase()
  if (YES.has(text)) return true
  if (NO.has(text)) return false
  throw wrong(given, 'true or false')
}

export function parseChoice(given: Given, choices: readonly string[]): string {
  const text = given.text.trim().toLowerCase()
  if (choices.includes(text)) return text
  const near = nearest(text, choices)
  throw wrong(given, `one of ${choices.join(', ')}${near === undefined ? '' : ` (did you mean ${near}?)`}`)
}

export function parseHost(given: Given): string {
  const text = given.text.trim().replace(/^\[(.*)\]$/, '$1')
  if (isIP(text) > 0 || /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(text)) return text
  throw wrong(given, 'a host name or an IP address without a port, such as localhost or 0.0.0.0')
}

export function parseCidrList(given: Given): readonly string[] {
  const blocks = given.text.split(/[\s,]+/).filter((block) => block !== '')
  try {
    parseCidrs(blocks)
  } catch (error) {
    const fault = error instanceof Error ? error.message : 'it cannot be read'
    throw new ConfigError(
      given.source,
      `${given.source} is not a list of networks: ${fault}; expected addresses or CIDR blocks separated by commas, such as 10.0.0.0/8,::1.`,
    )
  }
  if (blocks.some((block) => block.endsWith('/0')))
    throw new ConfigError(
      given.source,
      `${given.source} trusts every address, so that anyone could claim any; expected the addresses of your proxies.`,
    )
  return Object.freeze(blocks)
}

/** An absolute http(s) URL as an issuer must be (RFC 8414, section 2), without a trailing slash. */
export function parseIssuer(given: Given): string {
  const expected =
    'an absolute URL such as https://auth.example.com, without query, fragment, user or password'
  const url = URL.parse(given.text.trim())
  // What is before an @ may be a password: then nothing of it is repeated.
  if (given.text.includes('@'))
    throw new ConfigError(given.source, `${given.source} has a user or password in it; expected ${expected}.`)
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw wrong(given, expected)
  if (url.search || url.hash || /[?#]/.test(given.text)) throw wrong(given, expected)
  return url.href.replace(/\/+$/, '')
}

/** A URL to fetch from; undefined for `off`. */
export function parseUrlOrOff(given: Given): string | undefined {
  const text = given.text.trim()
  if (text === 'off') return undefined
  const url = URL.parse(text)
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.hash !== '')
    throw wrong(given, 'an absolute https URL, or off')
  return url.href
}

export function parsePostgresUrl(given: Given): string {
  const url = URL.parse(given.text.trim())
  if (
    url &&
    ['postgres:', 'postgresql:'].includes(url.protocol) &&
    url.pathname.length > 1 &&
    url.hostname !== ''
  )
    return given.text.trim()
  throw new ConfigError(
    given.source,
    `${given.source} is not a Postgres URL; expected postgres://user:password@host:5432/name, with special characters of the password percent-encoded.`,
  )
}

export function parseValkeyUrl(given: Given): string {
  const url = URL.parse(given.text.trim())
  if (url && ['valkey:', 'valkeys:', 'redis:', 'rediss:'].includes(url.protocol) && url.hostname !== '')
    return given.text.trim()
  throw new ConfigError(
    given.source,
    `${given.source} is not a Valkey URL; expected valkey://user:password@host:6379, or valkeys:// with TLS, with special characters of the password percent-encoded.`,
  )
}

export function parseSmtpUrl(given: Given): string {
  const url = URL.parse(given.text.trim())
  if (url && ['smtp:', 'smtps:'].includes(url.protocol) && url.hostname !== '') return given.text.trim()
  throw new ConfigError(
    given.source,
    `${given.source} is not an SMTP URL; expected smtps://user:password@host:465, with special characters of the password percent-encoded.`,
  )
}

export function parseMailbox(given: Given): string {
  const text = given.text.trim()
  if (/^(?:[^<>\p{Cc}]{0,100}<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/u.test(text)) return text
  throw wrong(given, 'an address, such as Postern <no-reply@example.com>')
}

export function parseTenant(given: Given): string {
  const text = given.text.trim()
  if (isId('ten', text)) return text
  throw wrong(given, 'the id of a tenant, such as postern tenants list shows')
}

/** A secret that travels in a header: what proxies would trim, fold or encode there is never the same again. */
export function parseHeaderSecret(given: Given, minimumLength: number): string {
  const secret = parseSecret(given, minimumLength)
  if (!/^[\x21-\x7E](?:[\x20-\x7E]*[\x21-\x7E])?$/.test(secret))
    throw new ConfigError(
      given.source,
      `${given.source} cannot be sent in a header; expected printable ASCII without a space at either end, such as the output of: openssl rand -base64 32`,
    )
  return secret
}

export function parseSecret(given: Given, minimumLength: number): string {
  if (given.text.length < minimumLength)
    throw new ConfigError(
      given.source,
      `${given.source} is too short; expected at least ${minimumLength} random characters, such as the output of: openssl rand -base64 32`,
    )
  if (new Set(given.text).size < 10)
    throw new ConfigError(
      given.source,
      `${given.source} repeats few characters and can be guessed; expected random ones, such as the output of: openssl rand -base64 32`,
    )
  return given.text
}

/** Serialized origins (RFC 6454), https, or http on loopback: elsewhere a cookie would be everybody's to read. */
export function parseOrigins(given: Given): readonly string[] {
  const origins = given.text.split(/[\s,]+/).filter((origin) => origin !== '')
  for (const origin of origins) {
    const url = URL.parse(origin)
    const fits =
      url?.origin === origin &&
      (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname)))
    if (!fits)
      throw wrong(
        { ...given, text: origin },
        'a list of https origins such as https://app.example.com (http on loopback will do)',
      )
  }
  return Object.freeze(origins)
}

export function parseReadableFile(given: Given, kind = 'PEM'): string {
  try {
    accessSync(given.text, constants.R_OK)
  } catch {
    throw wrong(given, `the name of a ${kind} file that this process can read`)
  }
  return given.text
}

function wrong(given: Given, expected: string): ConfigError {
  return new ConfigError(
    given.source,
    `${given.source} is "${given.text.slice(0, 80)}"; expected ${expected}.`,
  )
}

/** A database URL as it may be shown: without its password, and without parameters, which may hold one too. */
export function withoutPassword(databaseUrl: string): string {
  const url = URL.parse(databaseUrl)
  if (!url) return '(not a URL)'
  const user = url.username === '' ? '' : `${url.username}@`
  return `${url.protocol}//${user}${url.host}${url.pathname}`
}
