/**
 * What a known credential still demands of each request. What was found out is about the credential alone; where the
 * request comes from, when, and what it wants to do is checked here, on every hit.
 */
import { satisfiesAcr } from './acr.ts'
import type { DenialCode } from './denial.ts'
import { isIn, type Blocks } from './network.ts'
import { isFromBrowser, type CredentialRequest } from './presented.ts'
import type { Environment, Principal } from './principal.ts'

export interface Constraints {
  /** Absent: any address. */
  readonly ipAllow?: Blocks
  /** Unix milliseconds. */
  readonly notBeforeMs?: number
  /** Unix milliseconds. */
  readonly expiresAtMs?: number
  readonly environment: Environment
  /** False: refuse a live key that comes from a browser. */
  readonly browser: boolean
  /** The thumbprint of the key that it is bound to (RFC 9449, section 6.1). */
  readonly jkt?: string
}

/** What the checks know of a request. */
export interface Circumstances {
  readonly ip: string | undefined
  /** Undefined with a bare credential. */
  readonly request: CredentialRequest | undefined
  readonly scopes: readonly string[]
  readonly environment: Environment | 'any'
  readonly acrValues: readonly string[] | undefined
  readonly maxAgeSeconds: number | undefined
}

interface Held {
  readonly principal: Principal
  readonly constraints: Constraints
}

type Check = (held: Held, request: Circumstances, nowMs: number) => DenialCode | undefined

/** In this order: the first that refuses is the answer. */
const BEFORE_PROOF: readonly Check[] = [notExpired, notBefore, environment, notInBrowser, address]
const AFTER_PROOF: readonly Check[] = [scopes, signedInAsAsked]

/** How far a sign-in may be ahead of our clock. */
const CLOCK_TOLERANCE_SECONDS = 60

/** The code of the first rule that is broken whatever proof comes with the credential, or undefined. */
export function brokenBeforeProof(held: Held, request: Circumstances, nowMs: number): DenialCode | undefined {
  return firstOf(BEFORE_PROOF, held, request, nowMs)
}

/** The same for the rules about what a proven caller may do. */
export function brokenAfterProof(held: Held, request: Circumstances, nowMs: number): DenialCode | undefined {
  return firstOf(AFTER_PROOF, held, request, nowMs)
}

function firstOf(
  checks: readonly Check[],
  held: Held,
  request: Circumstances,
  nowMs: number,
): DenialCode | undefined {
  for (let index = 0; index < checks.length; index++) {
    const code = (checks[index] as Check)(held, request, nowMs)
    if (code !== undefined) return code
  }
  return undefined
}

function notExpired({ constraints: { expiresAtMs } }: Held, _: Circumstances, nowMs: number) {
  return expiresAtMs !== undefined && nowMs >= expiresAtMs ? 'expired' : undefined
}

function notBefore({ constraints: { notBeforeMs } }: Held, _: Circumstances, nowMs: number) {
  return notBeforeMs !== undefined && nowMs < notBeforeMs ? 'not_yet_valid' : undefined
}

function environment({ constraints }: Held, request: Circumstances) {
  return request.environment === 'any' || request.environment === constraints.environment
    ? undefined
    : 'wrong_environment'
}

/** A live key in a page's script is a published key: everyone who opens the page has it. */
function notInBrowser({ constraints, principal }: Held, { request }: Circumstances) {
  return !constraints.browser &&
    constraints.environment === 'live' &&
    principal.credential.type === 'api_key' &&
    request !== undefined &&
    isFromBrowser(request)
    ? 'exposed_in_browser'
    : undefined
}

/** An unknown address is in no list: who bound a key to a network wants a refusal rather than a guess. */
function address({ constraints: { ipAllow } }: Held, { ip }: Circumstances) {
  return ipAllow === undefined || (ip !== undefined && isIn(ip, ipAllow)) ? undefined : 'ip_not_allowed'
}

function scopes({ principal }: Held, request: Circumstances) {
  for (const scope of request.scopes) if (!principal.scopes.includes(scope)) return 'insufficient_scope'
  return undefined
}

/**
 * RFC 9470. A credential with no sign-in behind it (a key, a client's own token) meets no demand at all, and one that
 * does not say when it was meets no age.
 */
function signedInAsAsked({ principal }: Held, { acrValues, maxAgeSeconds }: Circumstances, nowMs: number) {
  if (acrValues === undefined && maxAgeSeconds === undefined) return undefined
  const { acr, authTimeMs } = principal
  const isStrong =
    !acrValues?.length || (acr !== undefined && acrValues.some((wanted) => satisfiesAcr(acr, wanted)))
  const isRecent = maxAgeSeconds === undefined || isWithin(maxAgeSeconds, authTimeMs, nowMs)
  return isStrong && isRecent ? undefined : 'insufficient_authentication'
}

/** In whole seconds, as `auth_time` has no others. A sign-in from further ahead than clocks differ tells of no age. */
function isWithin(maxAgeSeconds: number, authTimeMs: number | undefined, nowMs: number): boolean {
  if (authTimeMs === undefined) return false
  const ageSeconds = Math.floor(nowMs / 1000) - Math.floor(authTimeMs / 1000)
  return ageSeconds <= maxAgeSeconds && ageSeconds >= -CLOCK_TOLERANCE_SECONDS
}
