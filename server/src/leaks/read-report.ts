/**
 * A partner's report, read leniently: it is proven to be the scanner's, but what it repeats was written by strangers. An
 * entry that makes no sense is left out and stops no other one.
 */
import { redactCredentials } from '../kernel/index.ts'
import type { Sighting } from './leak.ts'

const LONGEST_TOKEN = 8_192
const LONGEST_URL = 2_000
const LONGEST_WORD = 100

/** Undefined when it is no list. The same text in the same place counts once. */
export function readReport(body: unknown): Sighting[] | undefined {
  if (!Array.isArray(body)) return undefined
  const seen = new Map<string, Sighting>()
  for (const entry of body) {
    const { token, type, url, location, source } = (entry ?? {}) as Record<string, unknown>
    if (typeof token !== 'string' || token === '' || token.length > LONGEST_TOKEN) continue
    const sighting = {
      token,
      type: word(type, LONGEST_WORD),
      // GitLab's revocation API calls it a location.
      url: place(url ?? location),
      source: word(source, LONGEST_WORD),
    }
    seen.set(`${sighting.url}\n${token}`, sighting)
  }
  return [...seen.values()]
}

/** A place as it is kept: a key that stands in the URL itself is not kept with it. */
export function place(url: unknown): string {
  return redactCredentials(word(url, LONGEST_URL))
}

function word(value: unknown, longest: number): string {
  // eslint-disable-next-line no-control-regex -- what no database and no terminal should get.
  return typeof value === 'string' ? value.replace(/[\u0000-\u001F\u007F]/g, '').slice(0, longest) : ''
}
