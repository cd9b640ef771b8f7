/**
 * argon2id (RFC 9106) by the platform, in the PHC string form that other software reads:
 * `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`. The work runs on libuv's threads, not on the event loop.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export interface HashParameters {
  /** Memory in KiB. */
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
}

/** OWASP's choice for argon2id where many sign in at once: 19 MiB, two passes. See decisions/007-password-hashing.md. */
export const CURRENT_PARAMETERS: HashParameters = { memory: 19_456, passes: 2, parallelism: 1 }

/** What a stored hash may ask for: a row that somebody planted must not take the machine's memory. */
const MOST: HashParameters = { memory: 262_144, passes: 10, parallelism: 8 }
const SALT_BYTES = 16
const TAG_BYTES = 32
const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

const derive = promisify(argon2)

export interface ParsedHash extends HashParameters {
  readonly salt: Buffer
  readonly tag: Buffer
}

export async function hashPassword(password: string, parameters: HashParameters): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const tag = await tagOf(password, salt, TAG_BYTES, parameters)
  const { memory, passes, parallelism } = parameters
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`
}

export async function matchesHash(password: string, hash: ParsedHash): Promise<boolean> {
  return timingSafeEqual(await tagOf(password, hash.salt, hash.tag.length, hash), hash.tag)
}

/** Undefined for anything that we would not have written, or would not want to compute. */
export function parseHash(text: string): ParsedHash | undefined {
  const found = PHC.exec(text)
  if (!found) return undefined
  const [memory, passes, parallelism] = [Number(found[1]), Number(found[2]), Number(found[3])] as const
  if (memory > MOST.memory || passes > MOST.passes || parallelism > MOST.parallelism) return undefined
  if (parallelism < 1 || passes < 1 || memory < 8 * parallelism) return undefined
  const salt = Buffer.from(found[4] as string, 'base64')
  const tag = Buffer.from(found[5] as string, 'base64')
  return { memory, passes, parallelism, salt, tag }
}

export function hasParameters(hash: ParsedHash, { memory, passes, parallelism }: HashParameters): boolean {
  return (
    hash.memory === memory &&
    hash.passes === passes &&
    hash.parallelism === parallelism &&
    hash.tag.length === TAG_BYTES
  )
}

/** A hash that nothing matches, to be checked where there is no user: the same work, and always false. */
export function impossibleHash(parameters: HashParameters): ParsedHash {
  return { ...parameters, salt: randomBytes(SALT_BYTES), tag: randomBytes(TAG_BYTES) }
}

function tagOf(
  password: string,
  salt: Buffer,
  tagLength: number,
  { memory, passes, parallelism }: HashParameters,
): Promise<Buffer> {
  return derive('argon2id', {
    message: Buffer.from(password),
    nonce: salt,
    parallelism,
    tagLength,
    memory,
    passes,
  })
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
