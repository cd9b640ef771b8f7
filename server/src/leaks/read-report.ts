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
      source: sourceWord(source),
    }
    seen.set(`${sighting.url}\n${token}`, sighting)
  }
  return [...seen.values()]
}

export function place(url: unknown): string {
  return word(url, LONGEST_URL)
}

export function sourceWord(source: unknown): string {
  return word(source, LONGEST_WORD)
}

/** Text as it is kept: a key that stands in it, as in a URL, is not kept with it. */
function word(value: unknown, longest: number): string {
  if (typeof value !== 'string') return ''
  // Cut behind the redaction: half a key would not be known as one.
  // eslint-disable-next-line no-control-regex -- what no database and no terminal should get.
  return redactCredentials(value.slice(0, LONGEST_TOKEN).replace(/[\u0000-\u001F\u007F]/g, '')).slice(
    0,
    longest,
  )
}
