/**
 * What a password may be (NIST SP 800-63B-4, section 3.1.1.2): long, of any characters, with no rules of composition.
 * Fifteen characters where it is the only factor, eight beside a second one.
 */
import { invalid } from '../kernel/index.ts'
import { isCommonPassword } from './common-passwords.ts'
import { displayName, type User } from './user.ts'

export const SHORTEST_PASSWORD = 15
export const SHORTEST_BESIDE_SECOND_FACTOR = 8
/** Bytes of UTF-8 after normalisation: what bounds the work of hashing. */
export const LONGEST_PASSWORD_BYTES = 1_024

/**
 * The form that is hashed: NFC, so that an ü typed on one keyboard is the ü of another. Undefined when nothing that we
 * would ever have hashed looks like this.
 */
export function normalizePassword(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  const normal = text.normalize('NFC')
  return Buffer.byteLength(normal) > LONGEST_PASSWORD_BYTES ? undefined : normal
}

/** Whose password it is to be, and how long it must be there. */
export interface PasswordOwner extends Pick<User, 'name' | 'username' | 'email'> {
  readonly hasSecondFactor: boolean
}

/** Why a new password is not taken; undefined: it is. */
type Rule = (password: string, owner: PasswordOwner) => string | undefined | Promise<string | undefined>

const RULES: readonly Rule[] = [isTooShort, isOneCharacter, isTheUsersOwnName, isOneOfTheCommon]

/** The normalised password; throws `invalid_request` for one that is not taken. Never repeats it. */
export async function acceptPassword(text: string, owner: PasswordOwner): Promise<string> {
  const password = normalizePassword(text)
  if (password === undefined)
    throw invalid('/password', `A password has at most ${LONGEST_PASSWORD_BYTES} bytes of text.`)
  for (const rule of RULES) {
    const fault = await rule(password, owner)
    if (fault !== undefined) throw invalid('/password', fault)
  }
  return password
}

/** Code points count, not UTF-16 units: an emoji is one character to whoever types it. */
export function isShortPassword(password: string): boolean {
  return [...password].length < SHORTEST_PASSWORD
}

function isTooShort(password: string, { hasSecondFactor }: PasswordOwner): string | undefined {
  const least = hasSecondFactor ? SHORTEST_BESIDE_SECOND_FACTOR : SHORTEST_PASSWORD
  return [...password].length < least
    ? `A password needs at least ${least} characters; a few words are a good one.`
    : undefined
}

async function isOneOfTheCommon(password: string): Promise<string | undefined> {
  return (await isCommonPassword(password))
    ? 'This password is among those that are guessed first; think of another one.'
    : undefined
}

function isOneCharacter(password: string): string | undefined {
  return new Set(password).size === 1 ? 'A password needs more than one character repeated.' : undefined
}

function isTheUsersOwnName(password: string, user: PasswordOwner): string | undefined {
  const folded = password.toLowerCase()
  const names = [displayName(user), user.username, user.email, user.email?.split('@')[0]]
  return names.some((name) => name?.normalize('NFC').toLowerCase() === folded)
    ? 'A password may not be the name, the username or the e-mail address.'
    : undefined
}
