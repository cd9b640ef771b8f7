/** Client secrets: made here, shown once, kept as digests, compared in constant time. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { type Clock, encodeBase62, randomBase62 } from '../kernel/index.ts'
import type { Client, ClientSecret } from './client.ts'

export const MOST_SECRETS = 5

export interface NewSecret {
  readonly secret: ClientSecret
  /** Shown once. In the form of a key, so that logs redact it and scanners find it. */
  readonly text: string
}

/** About 256 bits: a digest of it cannot be guessed from, however fast the digest. */
export function makeSecret(clock: Clock, expiresAtMs: number | null): NewSecret {
  const text = `cs_live_${randomBase62(43)}`
  const secret = {
    id: `sec_${encodeBase62(clock.nowMs(), 8)}${randomBase62(6)}`,
    hash: digest(text),
    last4: text.slice(-4),
    createdAtMs: clock.nowMs(),
    expiresAtMs,
  }
  return { secret, text }
}

const NOBODY = randomBytes(32)

/** Whether `presented` is one of the secrets that have not expired. The work does not tell how many there are. */
export function matchesSecret(
  secrets: Client['secrets'],
  presented: string,
  nowMs: number,
): ClientSecret | undefined {
  const given = Buffer.from(digest(presented), 'base64url')
  let found: ClientSecret | undefined
  for (let at = 0; at < MOST_SECRETS; at++) {
    const secret = secrets[at]
    const equal = timingSafeEqual(given, secret ? Buffer.from(secret.hash, 'base64url') : NOBODY)
    if (equal && secret && (secret.expiresAtMs === null || secret.expiresAtMs > nowMs)) found = secret
  }
  return found
}

function digest(text: string): string {
  return hash('sha256', text, 'base64url')
}
