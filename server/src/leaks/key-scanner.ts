/**
 * Finds keys of Postern in text that comes in pieces: by their form, then by their checksum, which lets through one
 * accident in four milliards. Bounded: what is kept between two pieces is shorter than the longest key.
 *
 * Text is taken one character a byte (latin1): a key is ASCII, and what stands around it does not matter.
 */
import { type ParsedKey, parseKey } from '../api-keys/index.ts'

export interface FoundKey extends ParsedKey {
  /** The key itself: never to be printed. */
  readonly text: string
  /** From 1. */
  readonly line: number
  /** From 1, in bytes. */
  readonly column: number
}

const BODY = 50
const LONGEST_PREFIX = 16
const LONGEST_KEY = LONGEST_PREFIX + '_live_'.length + BODY
const CORE = /_(?:live|test)_[0-9A-Za-z]{50}/g

export class KeyScanner {
  #kept = ''
  /** Of the first character that is kept. */
  #line = 1
  #column = 1

  /** The keys that end in this piece. */
  scan(piece: string): FoundKey[] {
    const found: FoundKey[] = []
    const text = this.#kept + piece
    const seenBefore = this.#kept.length
    let at = 0
    for (const match of text.matchAll(CORE)) {
      const end = match.index + match[0].length
      if (end <= seenBefore) continue
      const start = startOfKey(text, match.index, end)
      if (start === undefined) continue
      this.#moveOver(text, at, start)
      at = start
      const key = text.slice(start, end)
      found.push({ ...(parseKey(key) as ParsedKey), text: key, line: this.#line, column: this.#column })
    }
    const keptFrom = Math.max(at, text.length - (LONGEST_KEY - 1))
    this.#moveOver(text, at, keptFrom)
    this.#kept = text.slice(keptFrom)
    return found
  }

  #moveOver(text: string, from: number, to: number): void {
    let lineStart = -1
    for (let next = text.indexOf('\n', from); next >= 0 && next < to; next = text.indexOf('\n', next + 1)) {
      this.#line++
      lineStart = next + 1
    }
    this.#column = lineStart < 0 ? this.#column + (to - from) : to - lineStart + 1
  }
}

/**
 * Where the key begins whose `_live_` stands at `core`. What stands before the prefix may run into it (`\nsk_live_…` in
 * the text of a program), so each beginning is tried, the longest first: the checksum covers it.
 */
function startOfKey(text: string, core: number, end: number): number | undefined {
  let first = core
  while (first > 0 && core - first < LONGEST_PREFIX && /[a-z0-9]/.test(text[first - 1] as string)) first--
  for (let start = first; start < core; start++) if (parseKey(text.slice(start, end))) return start
  return undefined
}
