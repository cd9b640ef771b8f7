/** What stands in the cookie: 256 random bits. The database knows their hash, and no one can go back from it. */
import { createHash, randomBytes } from 'node:crypto'

export interface SessionSecret {
  readonly value: string
  readonly hash: string
}

export function newSessionSecret(): SessionSecret {
  const value = randomBytes(32).toString('base64url')
  return { value, hash: hashOf(value) }
}

/** SHA-256 is enough for 256 random bits: there is nothing to guess. */
export function hashOf(value: string): string {
  return createHash('sha256').update(value).digest('base64url')
}
