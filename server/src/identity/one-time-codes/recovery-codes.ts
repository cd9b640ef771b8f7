/**
 * Recovery codes: ten of 80 random bits, shown once, each good for one sign-in when the other device is lost. SHA-256 is
 * enough for them: there is nothing to guess.
 */
import { createHash, randomBytes } from 'node:crypto'

export const RECOVERY_CODES = 10
/** Crockford's base32: no letter that is read as another. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const LENGTH = 16

export function newRecoveryCodes(): string[] {
  return Array.from({ length: RECOVERY_CODES }, newRecoveryCode)
}

/** `xxxx-xxxx-xxxx-xxxx`. */
function newRecoveryCode(): string {
  const text = [...randomBytes(LENGTH)].map((byte) => ALPHABET[byte % 32]).join('')
  return (text.match(/.{4}/g) ?? []).join('-')
}

/** In any case, with or without hyphens and spaces; undefined when it is no recovery code. */
export function recoveryCodeHash(userId: string, typed: string): string | undefined {
  const code = typed.toLowerCase().replace(/[\s-]/g, '').replace(/[il]/g, '1').replace(/o/g, '0')
  if (code.length !== LENGTH || [...code].some((letter) => !ALPHABET.includes(letter))) return undefined
  return createHash('sha256').update(`${userId} ${code}`).digest('base64url')
}
