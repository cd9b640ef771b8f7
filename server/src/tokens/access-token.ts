/** The claims of an access token of ours (RFC 9068), and what makes them well-formed. */

export interface ActClaim {
  readonly sub: string
  readonly act?: ActClaim
}

/** As they stand in the token. Times are Unix seconds (RFC 7519, section 2). */
export interface AccessTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly aud: string | readonly string[]
  readonly exp: number
  readonly iat: number
  readonly nbf?: number
  readonly jti: string
  readonly client_id: string
  readonly scope?: string
  readonly tenant: string
  readonly roles?: readonly string[]
  /** The session and the grant that it descends from. */
  readonly sid?: string
  readonly gid?: string
  readonly act?: ActClaim
  readonly cnf?: { readonly jkt: string }
  readonly acr?: string
  readonly amr?: readonly string[]
  readonly auth_time?: number
  /** The feed's position, read before anything about the token was checked. */
  readonly rsn: number
  /** Ids of further ancestors: keys, grants, sessions, parent tokens. */
  readonly anc?: readonly string[]
  /** It is charged to something that has limits or a plan: whoever checks it by itself has to ask the server. */
  readonly lim?: true
}

export const MOST_ANCESTORS = 8
export const DEEPEST_ACT = 4
const MOST_AUDIENCES = 8
const MOST_ROLES = 200
/** The end of the year 9999: beyond it a time cannot be written. */
const LAST_SECOND = 253_402_300_799

type Rule = (value: unknown) => boolean

/** A text that means the same to every database and log: no control characters, no half of a surrogate pair. */
export function isPlainText(value: unknown, longest = 500): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= longest &&
    // eslint-disable-next-line no-control-regex -- they are what is refused.
    !/[\u0000-\u001F\u007F]/.test(value) &&
    value.isWellFormed()
  )
}

export function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= LAST_SECOND
}

export function isListOf(rule: Rule, most: number): (value: unknown) => value is unknown[] {
  return (value): value is unknown[] => Array.isArray(value) && value.length <= most && value.every(rule)
}

const text: Rule = (value) => isPlainText(value)
const texts = isListOf(text, MOST_ROLES)
export const isAudience: Rule = (value) =>
  isPlainText(value) || (isListOf(text, MOST_AUDIENCES)(value) && value.length > 0)

/** RFC 8693, section 4.1: `sub` of each, at most four deep; undefined when it is anything else. */
export function readActors(value: unknown, depth = 1): ActClaim | undefined {
  if (typeof value !== 'object' || value === null || depth > DEEPEST_ACT) return undefined
  const { sub, act } = value as Record<string, unknown>
  if (!isPlainText(sub)) return undefined
  if (act === undefined) return { sub }
  const inner = readActors(act, depth + 1)
  return inner && { sub, act: inner }
}

/**
 * RFC 9449, section 6.1. A confirmation of another kind cannot be checked here, so it is not ignored: undefined.
 */
export function readConfirmation(value: unknown): { readonly jkt: string } | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { jkt, ...others } = value as Record<string, unknown>
  const isThumbprint = typeof jkt === 'string' && /^[\w-]{43}$/.test(jkt)
  return isThumbprint && Object.keys(others).length === 0 ? { jkt } : undefined
}

const REQUIRED: readonly (readonly [string, Rule])[] = [
  ['iss', text],
  ['sub', text],
  ['aud', isAudience],
  ['exp', isSeconds],
  ['iat', isSeconds],
  ['jti', (value) => isPlainText(value, 200)],
  ['client_id', text],
  ['tenant', text],
  ['rsn', (value) => Number.isSafeInteger(value) && (value as number) >= 0],
]

const OPTIONAL: readonly (readonly [string, Rule])[] = [
  ['nbf', isSeconds],
  ['scope', (value) => typeof value === 'string' && value.length <= 8_192],
  ['roles', texts],
  ['sid', text],
  ['gid', text],
  ['act', (value) => readActors(value) !== undefined],
  ['cnf', (value) => readConfirmation(value) !== undefined],
  ['acr', text],
  ['amr', texts],
  ['auth_time', isSeconds],
  ['anc', isListOf((value) => isPlainText(value, 200), MOST_ANCESTORS)],
  ['lim', (value) => value === true],
]

/** The claims when every one of them has its type; undefined otherwise. Unknown claims are left alone. */
export function readClaims(payload: Readonly<Record<string, unknown>>): AccessTokenClaims | undefined {
  for (const [name, rule] of REQUIRED) if (!rule(payload[name])) return undefined
  for (const [name, rule] of OPTIONAL)
    if (payload[name] !== undefined && !rule(payload[name])) return undefined
  return payload as unknown as AccessTokenClaims
}

/** `sub` of everyone who acts, the outermost first. */
export function actorSubs(act: ActClaim | undefined): string[] {
  const subs: string[] = []
  for (let actor = act; actor; actor = actor.act) subs.push(actor.sub)
  return subs
}
