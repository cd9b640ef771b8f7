/**
 * `<prefix>_<live|test>_<lookup 12><secret 32><crc 6>`, base62. The crc (CRC-32 of all text before it) catches typing
 * errors with no I/O and gives secret scanners a cheap filter; it is public and keeps out no attacker.
 */
import { crc32 } from 'node:zlib'
import { encodeBase62, type Environment, randomBase62 } from '../kernel/index.ts'

export const PREFIX_PATTERN = '^[a-z][a-z0-9]{0,15}$'
const LOOKUP = 12
const SECRET = 32
const CRC = 6
const FORM = /^([a-z][a-z0-9]{0,15})_(live|test)_([0-9A-Za-z]{50})$/

export interface ParsedKey {
  readonly prefix: string
  readonly environment: Environment
  /** Public: finds the record. */
  readonly lookup: string
  readonly last4: string
}

/** A new key with about 190 bits of secret. */
export function generateKey(prefix: string, environment: Environment): ParsedKey & { readonly key: string } {
  const lookup = randomBase62(LOOKUP)
  const body = `${prefix}_${environment}_${lookup}${randomBase62(SECRET)}`
  const key = body + checksum(body)
  return { key, prefix, environment, lookup, last4: key.slice(-4) }
}

/** The parts of a key of ours; undefined for anything else, a wrong checksum included. */
export function parseKey(text: string): ParsedKey | undefined {
  const match = FORM.exec(text)
  if (!match) return undefined
  if (checksum(text.slice(0, -CRC)) !== text.slice(-CRC)) return undefined
  const [, prefix, environment, body] = match as unknown as [string, string, Environment, string]
  return { prefix, environment, lookup: body.slice(0, LOOKUP), last4: text.slice(-4) }
}

/** Whether `text` has the form of our keys, whatever its checksum: then a wrong one is a typing error. */
export function hasKeyForm(text: string): boolean {
  return FORM.test(text)
}

/** The same but for its length: one of ours cut short or run on, or one of somebody else's that was imported. */
export function resemblesKey(text: string): boolean {
  return /^[a-z][a-z0-9]{0,15}_(live|test)_[0-9A-Za-z]+$/.test(text)
}

function checksum(text: string): string {
  return encodeBase62(crc32(text), CRC)
}
