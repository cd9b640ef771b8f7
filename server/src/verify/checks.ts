/**
 * What a proven credential must pass, in this order; the first that fails is the answer. Each answers a Denial or
 * undefined. Whether it exists at all comes first: to a caller who does not reach it, every credential is unknown.
 */
import {
  denial,
  type Denial,
  inCidrs,
  missingScopes,
  type Presented,
  reachesResource,
  reachesTenant,
} from '../kernel/index.ts'
import type { VerifyRequest } from './verify-request.ts'

type Check = (presented: Presented, request: VerifyRequest, nowMs: number) => Denial | undefined

const withinReach: Check = ({ principal, resourceId }, { reach }) =>
  reachesTenant(reach, principal.tenant) && reachesResource(reach, resourceId) ? undefined : denial('unknown')

const ofResource: Check = ({ principal }, { resource }) =>
  resource === undefined || resource === principal.resource ? undefined : denial('wrong_resource')

const ofTenant: Check = ({ principal }, { tenant }) =>
  tenant === undefined || tenant === principal.tenant ? undefined : denial('wrong_tenant')

const unrevoked: Check = ({ revoked }) => (revoked ? denial('revoked') : undefined)

const unexpired: Check = ({ expiresAtMs }, _, nowMs) =>
  expiresAtMs !== null && expiresAtMs <= nowMs ? denial('expired') : undefined

const begun: Check = ({ notBeforeMs }, _, nowMs) =>
  notBeforeMs !== null && notBeforeMs > nowMs ? denial('not_yet_valid') : undefined

const enabled: Check = ({ disabled }) => (disabled ? denial('disabled') : undefined)

const ofEnvironment: Check = ({ principal }, { environment }) =>
  environment === 'any' || environment === principal.credential.environment
    ? undefined
    : denial('wrong_environment')

/** A page's script sends Origin or Sec-Fetch-Site: whoever opens the page can read the key. */
const outsideBrowser: Check = ({ allowBrowser }, { origin, secFetchSite }) =>
  allowBrowser || (origin === undefined && secFetchSite === undefined)
    ? undefined
    : denial('exposed_in_browser')

const fromAllowedAddress: Check = ({ ipAllow }, { ip }) =>
  ipAllow.length === 0 || (ip !== undefined && inCidrs(ip, ipAllow)) ? undefined : denial('ip_not_allowed')

/** A token that is bound to a key (RFC 9449) is good only with a proof, which nobody can hand on in this question. */
const unbound: Check = ({ principal }) => (principal.cnf === undefined ? undefined : denial('proof_required'))

const withScopes: Check = ({ principal }, { scopes }) =>
  missingScopes(principal.scopes, scopes).length === 0 ? undefined : denial('insufficient_scope', { scopes })

export const CHECKS: readonly Check[] = [
  withinReach,
  ofResource,
  ofTenant,
  unrevoked,
  unexpired,
  begun,
  enabled,
  ofEnvironment,
  outsideBrowser,
  fromAllowedAddress,
  unbound,
  withScopes,
]

export function firstDenial(presented: Presented, request: VerifyRequest, nowMs: number): Denial | undefined {
  for (const check of CHECKS) {
    const refused = check(presented, request, nowMs)
    if (refused) return refused
  }
  return undefined
}
