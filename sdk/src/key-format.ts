/**
 * The form of Postern's own keys: `<prefix>_<live|test>_<lookup 12><secret 32><crc 6>`. The checksum refuses a typing
 * error without asking anyone. It keeps no attacker out: it is public.
 */
import { crc32 } from './crc32.ts'

/** The longest credential that is looked at; a large access token has 6 kB. */
export const MAX_CREDENTIAL_LENGTH = 8192

const KEY = /^[a-z][a-z0-9]{0,15}_(?:live|test)_[0-9A-Za-z]{50}$/
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Whether `text` has the exact form of a Postern key. Keys issued elsewhere and imported may look otherwise. */
export function looksLikeAKey(text: string): boolean {
  return text.length <= 72 && KEY.test(text)
}

/** Whether the last six characters are the checksum of what stands before them. Says nothing about who issued it. */
export function checksumHolds(key: string): boolean {
  return key.slice(-6) === checksumOf(key.slice(0, -6))
}

/** The six characters that follow `text` in a key. */
export function checksumOf(text: string): string {
  return base62(crc32(text)).padStart(6, '0')
}

/** Whether `text` has the form of a Postern key and not its checksum. */
export function hasTypo(text: string): boolean {
  return looksLikeAKey(text) && !checksumHolds(text)
}

/** Visible ASCII without a comma: what one header field can carry as one credential. */
export function isCredentialText(text: string): boolean {
  return text.length > 0 && text.length <= MAX_CREDENTIAL_LENGTH && /^[\x21-\x2b\x2d-\x7e]+$/.test(text)
}

function base62(value: number): string {
  let text = ''
  for (let rest = value; rest > 0; rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62] + text
  return text
}
