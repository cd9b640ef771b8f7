/**
 * The compact serialization of a JWS (RFC 7515, section 7.1), read strictly: one text has one reading, and two texts
 * are never the same token. Knows nothing of keys.
 */
import { isUtf8 } from 'node:buffer'
import { findJsonFault } from '../kernel/index.ts'

/** Characters. Beyond it nothing is looked at. */
export const LONGEST_TOKEN = 8_192
const LONGEST_KID = 200

export interface CompactJws {
  readonly header: string
  readonly payload: string
  readonly signature: string
  /** What was signed: everything before the last dot. */
  readonly signingInput: string
}

export interface JwsHeader {
  readonly alg: string
  readonly kid: string | undefined
  /** Lower case, without `application/`; undefined when there is none. */
  readonly typ: string | undefined
}

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Three parts of strict base64url (RFC 4648, section 5), or undefined. */
export function splitCompactJws(text: string): CompactJws | undefined {
  if (text.length > LONGEST_TOKEN || !FORM.test(text)) return undefined
  const first = text.indexOf('.')
  const last = text.lastIndexOf('.')
  const header = text.slice(0, first)
  const payload = text.slice(first + 1, last)
  const signature = text.slice(last + 1)
  if (!isCanonical(header) || !isCanonical(payload) || !isCanonical(signature)) return undefined
  return { header, payload, signature, signingInput: text.slice(0, last) }
}

/** The bits that the last character has left over are zero: else other texts would mean the same bytes. */
function isCanonical(segment: string): boolean {
  const rest = segment.length % 4
  if (rest === 0) return true
  if (rest === 1) return false
  const bits = BASE64URL.indexOf(segment.charAt(segment.length - 1))
  return (bits & (rest === 2 ? 15 : 3)) === 0
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

export function decodeSegment(segment: string): Buffer {
  return Buffer.from(segment, 'base64url')
}

/** The JSON object of a segment, or undefined: not UTF-8, not an object, a member twice, nested too deep. */
export function decodeJsonObject(segment: string): Record<string, unknown> | undefined {
  const bytes = decodeSegment(segment)
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return findJsonFault(value, text) ? undefined : (value as Record<string, unknown>)
  } catch {
    return undefined
  }
}

/**
 * Members that would let a token say how it is to be verified: where to fetch its key, extensions that must be
 * understood, an unencoded or compressed payload (RFC 8725, sections 3.1 and 3.10).
 */
const REFUSED_MEMBERS = ['crit', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'] as const

/** The header, its members unread, or undefined when it has one that nothing signed may have. */
export function decodeHeader(segment: string): Record<string, unknown> | undefined {
  const header = decodeJsonObject(segment)
  return header && REFUSED_MEMBERS.every((name) => !(name in header)) ? header : undefined
}

/** A token's header, or undefined when a member is missing or of another type, or when it brings its own key. */
export function readJwsHeader(segment: string): JwsHeader | undefined {
  const header = decodeHeader(segment)
  if (!header || 'jwk' in header) return undefined
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string')) return undefined
  if (kid !== undefined && (typeof kid !== 'string' || kid.length === 0 || kid.length > LONGEST_KID))
    return undefined
  return { alg, kid, typ: typ?.toLowerCase().replace(/^application\//, '') }
}
