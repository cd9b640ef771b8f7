/**
 * The compact serialization of a JWS (RFC 7515, section 7.1), read strictly: one text has one reading, and two texts are
 * never the same token. Knows nothing of keys.
 */
import { isCanonical } from '../base64url.ts'
import { MAX_CREDENTIAL_LENGTH } from '../key-format.ts'
import { decodeJsonObject } from './strict-json.ts'

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

type Members = Readonly<Record<string, unknown>>

const LONGEST_KID = 200
const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Whether it is for us to read: a JWS whose header is a JSON object. What looks otherwise is asked at the server. */
export function looksLikeJwt(text: string): boolean {
  return text.startsWith('eyJ') && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)
}

/** Three parts of strict base64url, or undefined. */
export function splitCompactJws(text: string): CompactJws | undefined {
  if (text.length > MAX_CREDENTIAL_LENGTH || !FORM.test(text)) return undefined
  const first = text.indexOf('.')
  const last = text.lastIndexOf('.')
  const header = text.slice(0, first)
  const payload = text.slice(first + 1, last)
  const signature = text.slice(last + 1)
  if (!isCanonical(header) || !isCanonical(payload) || !isCanonical(signature)) return undefined
  return { header, payload, signature, signingInput: text.slice(0, last) }
}

/**
 * Members that would let a token say how it is to be verified: its own key, where to fetch one, extensions that must be
 * understood, an unencoded or compressed payload (RFC 8725, sections 3.1 and 3.10).
 */
const REFUSED_MEMBERS = ['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'] as const

/** The header, or undefined when a member is missing, of another type, or one that no token may have. */
export function readJwsHeader(segment: string): JwsHeader | undefined {
  const header = decodeJsonObject(segment)
  if (!header || REFUSED_MEMBERS.some((name) => name in header)) return undefined
  const { alg, kid, typ } = header
  if (typeof alg !== 'string' || (typ !== undefined && typeof typ !== 'string')) return undefined
  if (kid !== undefined && (typeof kid !== 'string' || kid.length === 0 || kid.length > LONGEST_KID))
    return undefined
  return { alg, kid, typ: typ?.toLowerCase().replace(/^application\//, '') }
}

/** The header of a proof, which does bring its key: that is what is proven. Everything else is refused all the same. */
export function readProofHeader(segment: string): Members | undefined {
  const header = decodeJsonObject(segment)
  const refused = REFUSED_MEMBERS.some((name) => name !== 'jwk' && header && name in header)
  return refused ? undefined : header
}
