/**
 * What a cached answer still demands of each request. The server answered about the credential alone; where the
 * request comes from, when, and what it wants to do is checked here, on every hit.
 */
import type { Clock } from './clock.ts'
import type { DenialCode } from './denial.ts'
import { isIn, type Blocks } from './network.ts'
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
}

/** What the checks know of a request. */
export interface Circumstances {
  readonly ip: string | undefined
  readonly fromBrowser: boolean
  readonly scopes: readonly string[]
  readonly environment: Environment | 'any'
}

type Check = (
  constraints: Constraints,
  request: Circumstances,
  principal: Principal,
  clock: Clock,
) => DenialCode | undefined

/** In this order: the first that refuses is the answer. */
const CHECKS: readonly Check[] = [notBefore, notExpired, environment, notInBrowser, address, scopes]

/** The code of the first broken rule, or undefined. */
export function brokenConstraint(...about: Parameters<Check>): DenialCode | undefined {
  for (const check of CHECKS) {
    const code = check(...about)
    if (code) return code
  }
  return undefined
}

function notBefore({ notBeforeMs }: Constraints, _: Circumstances, __: Principal, clock: Clock) {
  return notBeforeMs !== undefined && clock.nowMs() < notBeforeMs ? 'not_yet_valid' : undefined
}

function notExpired({ expiresAtMs }: Constraints, _: Circumstances, __: Principal, clock: Clock) {
  return expiresAtMs !== undefined && clock.nowMs() >= expiresAtMs ? 'expired' : undefined
}

function environment(constraints: Constraints, request: Circumstances) {
  return request.environment === 'any' || request.environment === constraints.environment
    ? undefined
    : 'wrong_environment'
}

/** A live key in a page's script is a published key: everyone who opens the page has it. */
function notInBrowser(constraints: Constraints, request: Circumstances, principal: Principal) {
  return request.fromBrowser &&
    !constraints.browser &&
    constraints.environment === 'live' &&
    principal.credential.type === 'api_key'
    ? 'exposed_in_browser'
    : undefined
}

/** An unknown address is in no list: who bound a key to a network wants a refusal rather than a guess. */
function address({ ipAllow }: Constraints, { ip }: Circumstances) {
  return ipAllow === undefined || (ip !== undefined && isIn(ip, ipAllow)) ? undefined : 'ip_not_allowed'
}

function scopes(_: Constraints, request: Circumstances, principal: Principal) {
  for (const scope of request.scopes) if (!principal.scopes.includes(scope)) return 'insufficient_scope'
  return undefined
}
