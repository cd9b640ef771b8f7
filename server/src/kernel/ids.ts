/** Ids: a typed prefix and 22 base62 characters that sort by creation (8 of time, 14 random: 83 bits). */
import { encodeBase62, randomBase62 } from './base62.ts'
import type { Clock } from './clock.ts'

export const ID_PREFIXES = [
  'ten',
  'res',
  'key',
  'cli',
  'usr',
  'ses',
  'gra',
  'iss',
  'pky',
  'idp',
  'evt',
  'pln',
  'rte',
  'lea',
  'whk',
  'dlv',
] as const
export type IdPrefix = (typeof ID_PREFIXES)[number]

const ANY_PREFIX = `^(${ID_PREFIXES.join('|')})_`
const ID = new RegExp(`${ANY_PREFIX}[0-9A-Za-z]{22}$`)
const LIKE_AN_ID = new RegExp(ANY_PREFIX)

export function newId(prefix: IdPrefix, clock: Clock): string {
  return `${prefix}_${encodeBase62(clock.nowMs(), 8)}${randomBase62(14)}`
}

/** Whether `text` is an id of that kind. A foreign kind of id is simply not one. */
export function isId(prefix: IdPrefix, text: string): boolean {
  return ID.test(text) && text.startsWith(`${prefix}_`)
}

/** Whether `text` looks like any id of ours; an external owner id may not. */
export function looksLikeAnId(text: string): boolean {
  return LIKE_AN_ID.test(text)
}

/** The tenant that deployment-wide operators belong to. It is in no list and cannot be deleted. */
export const DEPLOYMENT_TENANT = 'ten_0000000000000000000000'
/** The management API as a protected resource: its id and its reserved URI. */
export const MANAGEMENT_RESOURCE = 'res_0000000000000000000000'
export const MANAGEMENT_URI = 'urn:postern:management'
