/**
 * Reads the server's reply to `POST /v1/verify`: snake_case on the wire, checked member by member, since everything
 * later trusts it. What the reply says beyond what this version knows makes it good for one use, never for more.
 */
import type { Constraints } from './constraints.ts'
import { type CountedLimit, NO_LIMITS } from './counted-limits.ts'
import { denial, isDenialCode, type Denial } from './denial.ts'
import type { LeaseAnswer } from './leases.ts'
import { parseBlocks } from './network.ts'
import { internedList, internedWord } from './interned.ts'
import type { Actor, Environment, Principal } from './principal.ts'

export interface PositiveReply {
  readonly valid: true
  readonly principal: Principal
  readonly constraints: Constraints
  /** From sending the request; 0 when the answer is good for this one request. */
  readonly cacheSeconds: number
  /** The feed's position that the server read before the record; -1 where it does not say. */
  readonly asOf: number
  /** Rows of the feed about one of these touch the answer; undefined where the server does not say. */
  readonly refs: readonly string[] | undefined
  readonly limits: readonly CountedLimit[]
}

export type Reply = PositiveReply | Denial

type Members = Readonly<Record<string, unknown>>

const KNOWN_CONSTRAINTS: ReadonlySet<string> = new Set([
  'ip_allow',
  'not_before',
  'expires_at',
  'environment',
  'browser',
  'cnf',
])

/** Of a token that is bound to something else than a key: no proof fits. */
const UNCHECKABLE = 'none'

/** Undefined when the reply is not one. */
export function parseReply(json: unknown): Reply | undefined {
  try {
    const reply = object(json)
    if (reply['valid'] === false) return parseDenial(reply)
    if (reply['valid'] !== true) return undefined
    const principal = parsePrincipal(object(reply['principal']))
    return {
      valid: true,
      principal,
      constraints: parseConstraints(object(reply['constraints']), principal),
      cacheSeconds: isReusable(reply) ? duration(reply['cache_seconds']) : 0,
      asOf: Number.isSafeInteger(reply['as_of']) ? (reply['as_of'] as number) : -1,
      refs: reply['refs'] === undefined ? undefined : texts(reply['refs']),
      limits: parseLimits(reply['limits'] ?? []),
    }
  } catch (error) {
    if (error instanceof Unreadable) return undefined
    throw error
  }
}

/** A rule this version does not know cannot be checked later. */
function isReusable(reply: Members): boolean {
  const constraints = object(reply['constraints'])
  const known = Object.keys(constraints).every((name) => KNOWN_CONSTRAINTS.has(name))
  const { cnf } = constraints
  // A token may be bound by more than a key (RFC 7800): what cannot be checked here is asked each time.
  if (cnf !== undefined && cnf !== null && Object.keys(object(cnf)).join() !== 'jkt') return false
  return known
}

function parseDenial(reply: Members): Denial {
  // A code from a later version is still a refusal.
  const code = isDenialCode(reply['code']) ? reply['code'] : 'unsupported'
  const retryAfter = reply['retry_after_seconds']
  const maxAge = reply['max_age']
  return denial(code, {
    ...(typeof retryAfter === 'number' && retryAfter >= 0 && { retryAfterSeconds: retryAfter }),
    ...optional('scopes', reply['scopes'], texts),
    ...optional('acrValues', reply['acr_values'], texts),
    ...optional('limits', reply['limits'], parseLimits),
    ...(typeof maxAge === 'number' && { maxAgeSeconds: maxAge }),
  })
}

function parseLimits(value: unknown): readonly CountedLimit[] {
  const limits = Array.isArray(value) ? value : unreadable()
  return limits.length === 0 ? NO_LIMITS : limits.map((limit: unknown) => parseLimit(object(limit)))
}

/** What a later version calls otherwise is charged by the server, whatever it is. */
function parseLimit(wire: Members): CountedLimit {
  return {
    name: text(wire['name']),
    bucket: text(wire['bucket']),
    type: wire['type'] === 'quota' ? 'quota' : 'rate',
    enforcement: wire['enforcement'] === 'leased' ? 'leased' : 'strict',
    limit: duration(wire['limit']),
    windowSeconds: wire['window_seconds'] === undefined ? undefined : duration(wire['window_seconds']),
    period: wire['period'] === 'day' || wire['period'] === 'month' ? wire['period'] : undefined,
    remaining: duration(wire['remaining']),
    resetSeconds: duration(wire['reset_seconds']),
  }
}

/** The answer of `POST /v1/limits/leases`. Throws for what is none. */
export function parseLeases(json: unknown): readonly LeaseAnswer[] {
  const { buckets } = object(json)
  if (!Array.isArray(buckets)) return unreadable()
  return buckets.map((one: unknown) => {
    const { bucket, strict, lease, granted } = object(one)
    return {
      bucket: text(bucket),
      strict: strict !== false,
      ...(typeof lease === 'string' &&
        Number.isSafeInteger(granted) && { lease, granted: granted as number }),
    }
  })
}

function parsePrincipal(wire: Members): Principal {
  const credential = object(wire['credential'])
  return deepFreeze({
    valid: true as const,
    sub: text(wire['sub']),
    subType: oneOf(wire['sub_type'], ['user', 'client', 'external']),
    tenant: internedWord(text(wire['tenant'])),
    resource: internedWord(text(wire['resource'])),
    scopes: internedList(texts(wire['scopes'])),
    roles: internedList(texts(wire['roles'] ?? [])),
    credential: {
      type: oneOf(credential['type'], ['api_key', 'access_token', 'session']),
      id: text(credential['id']),
      environment: parseEnvironment(credential['environment']),
    },
    ...optional('clientId', wire['client_id'], (value) => internedWord(text(value))),
    ...optional('act', wire['act'], (value) => parseActor(value, 0)),
    ...optional('cnf', wire['cnf'], (value) => optional('jkt', object(value)['jkt'], text)),
    ...optional('grantId', wire['grant_id'], text),
    ...optional('sessionId', wire['session_id'], text),
    ...optional('acr', wire['acr'], (value) => internedWord(text(value))),
    ...optional('amr', wire['amr'], (value) => internedList(texts(value))),
    ...optional('authTimeMs', wire['auth_time'], time),
    ...optional('expiresAtMs', wire['expires_at'], time),
    ...optional('plan', wire['plan'], (value) => internedWord(text(value))),
    ...optional('metadata', wire['metadata'], object),
  })
}

function parseConstraints(wire: Members, principal: Principal): Constraints {
  return {
    ...optional('ipAllow', wire['ip_allow'], (value) => parseBlocks(texts(value)) ?? unreadable()),
    ...optional('notBeforeMs', wire['not_before'], time),
    ...optional('expiresAtMs', wire['expires_at'], time),
    environment: parseEnvironment(wire['environment'] ?? principal.credential.environment),
    browser: wire['browser'] === true,
    // The principal's counts as well: whichever of the two says that it is bound.
    ...optional('jkt', principal.cnf && (principal.cnf.jkt ?? UNCHECKABLE), text),
  }
}

function parseEnvironment(value: unknown): Environment {
  return oneOf(value, ['live', 'test'])
}

/** Actors nest; nobody nests them eight deep. */
function parseActor(value: unknown, depth: number): Actor {
  const wire = object(value)
  if (depth > 8) return unreadable()
  return { sub: text(wire['sub']), ...optional('act', wire['act'], (inner) => parseActor(inner, depth + 1)) }
}

/** The member, parsed; none when it is absent or null. */
function optional<Name extends string, Value>(
  name: Name,
  value: unknown,
  parse: (value: unknown) => Value,
): { [member in Name]?: Value } {
  return value === undefined || value === null
    ? {}
    : ({ [name]: parse(value) } as { [member in Name]: Value })
}

class Unreadable extends Error {}

function unreadable(): never {
  throw new Unreadable()
}

function object(value: unknown): Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Members)
    : unreadable()
}

function text(value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : unreadable()
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(text) : unreadable()
}

function oneOf<Member extends string>(value: unknown, members: readonly Member[]): Member {
  return members.find((member) => member === value) ?? unreadable()
}

/** RFC 3339 to Unix milliseconds. */
function time(value: unknown): number {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i.test(text(value))
    ? Date.parse(text(value))
    : NaN
  return Number.isNaN(ms) ? unreadable() : ms
}

function duration(value: unknown): number {
  return typeof value === 'number' && value >= 0 ? value : 0
}

export function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
