/** Replies as the server writes them, and keys as it issues them. */
import { crc32 } from 'node:zlib'

export const RESOURCE = 'https://api.example.com'
export const TENANT = 'ten_0000000000000000000001'
export const OWN_CREDENTIAL = 'postern_live_own'

type Members = Readonly<Record<string, unknown>>

export interface Changes {
  readonly principal?: Members
  readonly constraints?: Members
  readonly reply?: Members
}

/** A positive reply for a key with `orders:read`. */
export function accepted({ principal, constraints, reply }: Changes = {}): object {
  return {
    valid: true,
    principal: {
      sub: 'acct_7',
      sub_type: 'external',
      tenant: TENANT,
      resource: RESOURCE,
      scopes: ['orders:read'],
      roles: [],
      credential: { type: 'api_key', id: 'key_0000000000000000000001', environment: 'live' },
      ...principal,
    },
    constraints: { environment: 'live', browser: false, ...constraints },
    as_of: 4711,
    cache_seconds: 60,
    limits: [],
    ...reply,
  }
}

export function refused(code: string, more: Members = {}): object {
  return { valid: false, code, detail: 'From the server.', as_of: 4711, ...more }
}

/** A well-formed key; `seed` tells them apart. The checksum is zlib's, not the one under test. */
export function aKey(seed: string | number = 1, start = 'sk_live'): string {
  const body = `${start}_${String(seed).padStart(44, '0')}`
  return body + base62(crc32(body)).padStart(6, '0')
}

function base62(value: number): string {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  return value === 0 ? '' : base62(Math.floor(value / 62)) + alphabet[value % 62]
}
