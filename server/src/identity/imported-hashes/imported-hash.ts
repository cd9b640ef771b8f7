/**
 * Password hashes that other software made, as they are found in its tables. They are checked until their user's next
 * sign-in, which replaces them by ours. Each is bounded: a hash that somebody imports must not take the machine, nor be
 * so cheap that it was never a password hash.
 */
import { argon2, pbkdf2, scrypt, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'

/** Whether it is the password, which is normalised. */
export type CheckPassword = (password: string) => Promise<boolean>

interface Format {
  readonly pattern: RegExp
  /** Undefined: the parameters are out of bounds. */
  read(groups: Readonly<Record<string, string>>): CheckPassword | undefined
}

const MOST_MEMORY_KIB = 262_144
const derive = {
  argon2: promisify(argon2),
  pbkdf2: promisify(pbkdf2),
  scrypt: promisify(scrypt) as (
    password: string,
    salt: Buffer,
    length: number,
    options: object,
  ) => Promise<Buffer>,
}
const BASE64 = '[A-Za-z0-9+/]'

const FORMATS: readonly Format[] = [
  {
    // PHC: argon2id, argon2i and argon2d.
    pattern: new RegExp(
      `^\\$(?<kind>argon2(?:id|i|d))\\$v=19\\$m=(?<m>\\d{1,7}),t=(?<t>\\d{1,3}),p=(?<p>\\d{1,2})\\$(?<salt>${BASE64}{11,86})\\$(?<tag>${BASE64}{22,86})$`,
    ),
    read({ kind = '', m, t, p, salt = '', tag = '' }) {
      const [memory, passes, parallelism] = [Number(m), Number(t), Number(p)]
      if (memory > MOST_MEMORY_KIB || memory < 8 * parallelism || !isWithin(passes, 1, 10)) return undefined
      if (!isWithin(parallelism, 1, 8)) return undefined
      const nonce = Buffer.from(salt, 'base64')
      return compare(base64(tag), (password, tagLength) =>
        derive.argon2(kind as 'argon2id', {
          message: Buffer.from(password),
          nonce,
          parallelism,
          tagLength,
          memory,
          passes,
        }),
      )
    },
  },
  {
    // bcrypt reads 72 bytes of a password and no more, so that what is behind them matched before and matches here.
    pattern: /^(?<hash>\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53})$/,
    read({ hash = '', cost }) {
      if (!isWithin(Number(cost), 4, 14)) return undefined
      return (password) => onItsThread({ password, hash })
    },
  },
  {
    // PHC (`i=…`, with `l=…` or not), and passlib's (`.` for `+`).
    pattern:
      /^\$pbkdf2(?:-(?<digest>sha1|sha256|sha512))?\$(?:i=)?(?<iterations>\d{1,8})(?:,l=\d{1,3})?\$(?<salt>[A-Za-z0-9+/.]{6,172})\$(?<tag>[A-Za-z0-9+/.]{22,172})$/,
    read: ({ digest = 'sha1', iterations, salt = '', tag = '' }) =>
      checkPbkdf2(digest, Number(iterations), base64(salt), base64(tag)),
  },
  {
    // Django's: the salt is text.
    pattern:
      /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>\d{1,8})\$(?<salt>[A-Za-z0-9]{8,64})\$(?<tag>[A-Za-z0-9+/]{22,88}={0,2})$/,
    read: ({ digest = '', iterations, salt = '', tag = '' }) =>
      checkPbkdf2(digest, Number(iterations), Buffer.from(salt), base64(tag)),
  },
  {
    // PHC, and passlib's.
    pattern:
      /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,2}),p=(?<p>\d{1,2})\$(?<salt>[A-Za-z0-9+/.]{6,172})\$(?<tag>[A-Za-z0-9+/.]{22,172})$/,
    read({ ln, r, p, salt = '', tag = '' }) {
      const [logCost, blockSize, parallelization] = [Number(ln), Number(r), Number(p)]
      if (!isWithin(logCost, 10, 20) || !isWithin(blockSize, 1, 32) || !isWithin(parallelization, 1, 8))
        return undefined
      const bytes = 128 * blockSize * 2 ** logCost
      if (bytes > MOST_MEMORY_KIB * 1_024) return undefined
      const options = { cost: 2 ** logCost, blockSize, parallelization, maxmem: 2 * bytes }
      return compare(base64(tag), (password, length) =>
        derive.scrypt(password, base64(salt), length, options),
      )
    },
  },
]

/** Undefined for a format that we do not know, and for parameters that are out of bounds. */
export function parseImportedHash(text: string): CheckPassword | undefined {
  for (const { pattern, read } of FORMATS) {
    const found = pattern.exec(text)
    if (found) return read({ ...found.groups })
  }
  return undefined
}

/** How many run at once is the hasher's business. */
async function onItsThread(workerData: {
  readonly password: string
  readonly hash: string
}): Promise<boolean> {
  const thread = new Worker(new URL('./bcrypt-thread.ts', import.meta.url), { workerData })
  const [matches] = (await once(thread, 'message')) as [boolean]
  return matches
}

function checkPbkdf2(
  digest: string,
  iterations: number,
  salt: Buffer,
  tag: Buffer,
): CheckPassword | undefined {
  if (!isWithin(iterations, 1_000, 2_000_000)) return undefined
  return compare(tag, (password, length) => derive.pbkdf2(password, salt, iterations, length, digest))
}

function compare(
  tag: Buffer,
  tagOf: (password: string, length: number) => Promise<Buffer>,
): CheckPassword | undefined {
  if (!isWithin(tag.length, 16, 128)) return undefined
  return async (password) => timingSafeEqual(await tagOf(password, tag.length), tag)
}

function base64(text: string): Buffer {
  return Buffer.from(text.replaceAll('.', '+'), 'base64')
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}
