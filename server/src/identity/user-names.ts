/**
 * Usernames and e-mail addresses: what is accepted, and the keys by which two spellings are one. Usernames are ASCII, so
 * that no two look alike. An e-mail address is kept as its owner wrote it; its key has the domain in its ASCII form
 * (IDNA) and only ASCII letters lowered: case rules beyond those join letters that are different mailboxes (ſ and s), and
 * a mailbox that answers for another is a way into its account.
 */
import { domainToASCII } from 'node:url'
import { invalid } from '../kernel/index.ts'

const USERNAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/
/** RFC 5321's dot-atom, with letters of every script (RFC 6531); no quoted strings, no comments. */
const LOCAL_PART = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

/** Undefined when `text` is no username. */
export function usernameKey(text: string): string | undefined {
  return USERNAME.test(text) ? lowerAscii(text) : undefined
}

/** Undefined when `text` is no e-mail address. */
export function emailKey(text: string): string | undefined {
  const at = text.lastIndexOf('@')
  if (at < 1 || Buffer.byteLength(text) > 254) return undefined
  const local = text.slice(0, at).normalize('NFC')
  const domain = domainToASCII(text.slice(at + 1))
  if (!LOCAL_PART.test(local) || Buffer.byteLength(local) > 64) return undefined
  // A label of digits alone at the end is an address, in one of its many spellings.
  if (!DOMAIN.test(domain) || domain.length > 253 || /(?:^|\.)\d+$/.test(domain)) return undefined
  return `${lowerAscii(local)}@${domain}`
}

export type IdentifierKey =
  | { readonly kind: 'username'; readonly key: string }
  | { readonly kind: 'email'; readonly key: string }

/** What somebody typed to say who they are. An @ says that it is an e-mail address: no username has one. */
export function identifierKey(text: string): IdentifierKey | undefined {
  const trimmed = text.trim()
  const key = trimmed.includes('@') ? emailKey(trimmed) : usernameKey(trimmed)
  return key === undefined ? undefined : { kind: trimmed.includes('@') ? 'email' : 'username', key }
}

export interface Names {
  readonly username: string | null
  readonly email: string | null
}

/** The keys of both; throws `invalid_request` naming the member at fault. */
export function keysOf({ username, email }: Names): { usernameKey: string | null; emailKey: string | null } {
  if (username === null && email === null)
    throw invalid('/username', 'A user needs a username, an e-mail address, or both.')
  const ofUsername = username === null ? null : usernameKey(username)
  if (ofUsername === undefined)
    throw invalid(
      '/username',
      'A username has 1 to 64 letters (a to z) and digits, with dots, hyphens and underscores between them.',
    )
  const ofEmail = email === null ? null : emailKey(email)
  if (ofEmail === undefined) throw invalid('/email', 'This is not an e-mail address.')
  return { usernameKey: ofUsername, emailKey: ofEmail }
}

function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}
