/** What the adapters have in common: their options, and what a result means for a route. */
import type { BrowserSession } from '../browser-session.ts'
import type { Denial } from '../denial.ts'
import type { Principal, Result } from '../principal.ts'
import type { ProtectedResource } from '../protected-resource.ts'
import { rateLimitHeaders } from '../rate-limit-headers.ts'
import { refusal, type Refusal } from '../refusal.ts'
import type { Verifier, VerifyOptions, WhenDegraded } from '../verifier.ts'

export interface GuardOptions<Request> {
  /** Names what is protected, in `WWW-Authenticate`. Default: the resource's URI. */
  readonly realm?: string
  /** Tells OAuth clients in each challenge where to get a token (RFC 9728). Serve its metadata as well. */
  readonly protectedResource?: ProtectedResource
  /**
   * The caller's address, for keys that are bound to networks. Never read it from a header that a proxy of your own
   * did not write: callers can send `X-Forwarded-For` as well.
   */
  readonly clientIp?: (request: Request) => string | undefined
  /**
   * Made by `createWeb()` of `@postern/sdk/web`: whoever signed in with it is let in by the session's cookie, too, by the
   * same scopes and with the same Principal.
   */
  readonly session?: BrowserSession
}

export interface RouteOptions {
  /** Serve callers without a credential, too. One that is presented has to be good all the same. Default false. */
  readonly optional?: boolean
  /** What to do when the feed has been silent for more than 30 seconds. Default `introspect`. */
  readonly whenDegraded?: WhenDegraded
  /** The user signed in by one of these (RFC 9470). */
  readonly acrValues?: readonly string[]
  /** The user signed in no longer ago than this. */
  readonly maxAgeSeconds?: number
  /** What a request costs the caller's limits, 0 to 1,000,000. Default 1. */
  readonly cost?: number
  /** What usage calls the route. Default: its method and pattern, where the framework knows them. */
  readonly route?: string
}

/** What a route asks of `verify`, besides the caller's address. */
export function demandsOf(
  scopes: readonly string[],
  route: RouteOptions,
): Omit<VerifyOptions, 'ip'> & { readonly scopes: readonly string[] } {
  const { whenDegraded, acrValues, maxAgeSeconds, cost, route: name } = route
  return { scopes, whenDegraded, acrValues, maxAgeSeconds, cost: parseCost(cost), route: name }
}

/** Throws a TypeError: at start, rather than at the first request. */
function parseCost(cost: number | undefined): number | undefined {
  if (cost === undefined || (Number.isInteger(cost) && cost >= 0 && cost <= 1_000_000)) return cost
  throw new TypeError('cost must be a whole number from 0 to 1,000,000.')
}

/** `GET /orders/:id`; undefined where the pattern is not known. A path that was called is no name of a route. */
export function routeOf(method: string | undefined, pattern: unknown): string | undefined {
  return typeof pattern === 'string' && pattern !== '' ? `${method ?? 'GET'} ${pattern}` : undefined
}

/** Scopes of a route: all of them are needed. */
export type Scopes = string | readonly string[]

/** What follows from a result: the Principal, `undefined` for an anonymous caller who may pass, or a refusal. */
export type Admission =
  | {
      readonly admitted: true
      readonly principal: Principal | undefined
      /** For the route's own answer: what the caller's limits are at. Names in lower case. */
      readonly headers: Readonly<Record<string, string>>
    }
  | { readonly admitted: false; readonly refusal: Refusal }

export function admission(
  verifier: Verifier,
  result: Result,
  { realm = verifier.resource, protectedResource }: Pick<GuardOptions<never>, 'realm' | 'protectedResource'>,
  scopes: readonly string[],
  optional = false,
): Admission {
  if (result.valid) return { admitted: true, principal: result, headers: limitHeaders(verifier, result) }
  if (optional && isAnonymous(result)) return { admitted: true, principal: undefined, headers: NO_HEADERS }
  const refused = refusal(result, { realm, protectedResource, scopes })
  return {
    admitted: false,
    refusal: { ...refused, headers: { ...refused.headers, ...limitHeaders(verifier, result) } },
  }
}

const NO_HEADERS: Readonly<Record<string, string>> = {}

function limitHeaders(verifier: Verifier, result: Result): Readonly<Record<string, string>> {
  const limits = verifier.limitsOf(result)
  return limits.length === 0 ? NO_HEADERS : rateLimitHeaders(limits)
}

/**
 * Throws a TypeError when the metadata is that of another API: clients would get tokens that this one refuses as
 * `wrong_resource`.
 */
export function checkProtectedResource(
  verifier: Verifier,
  { protectedResource }: Pick<GuardOptions<never>, 'protectedResource'>,
): void {
  if (protectedResource && protectedResource.resource !== verifier.resource)
    throw new TypeError(
      `protectedResource describes ${protectedResource.resource}, but the verifier answers for ${verifier.resource}.`,
    )
}

function isAnonymous(denial: Denial): boolean {
  return denial.code === 'missing'
}

/**
 * Throws a TypeError when a route names scopes that no credential can hold (RFC 6749, section 3.3): at start, rather
 * than as a 403 for everyone.
 */
export function parseScopes(scopes: Scopes | undefined): readonly string[] {
  const list = typeof scopes === 'string' ? [scopes] : (scopes ?? [])
  for (const scope of list) {
    if (typeof scope !== 'string' || !/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/.test(scope))
      throw new TypeError(
        'A scope must be 1 to 128 visible ASCII characters without quote and backslash. Several go in a list: ' +
          "['orders:read', 'orders:write'].",
      )
  }
  return [...list]
}

/** Thrown by `principalOf` where there is none: a fault of the program, not of the caller. */
export function noPrincipal(): Error {
  return new Error('This request has no principal: its route has no Postern guard, or the guard is optional.')
}
