/**
 * Base62 in byte order (0-9, A-Z, a-z), so that encoded numbers of one width sort as the numbers do.
 */
import { randomBytes } from 'node:crypto'

export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Encodes a non-negative safe integer, left-padded with `0` to `width` characters. */
export function encodeBase62(value: number, width: number): string {
  let rest = value
  let text = ''
  do {
    text = ALPHABET[rest % 62] + text
    rest = Math.floor(rest / 62)
  } while (rest > 0)
  return text.padStart(width, '0')
}

/** `length` uniformly random base62 characters (5.95 bits each); bytes above 247 are drawn again. */
export function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length - text.length + 8)) {
      if (byte < 248 && text.length < length) text += ALPHABET[byte % 62]
    }
  }
  return text
}
