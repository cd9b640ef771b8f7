/**
 * What a proven key must pass, in this order; the first that fails is the answer. Each answers a Denial or undefined.
 * Whether it exists at all comes first: to a caller who does not reach it, every key is unknown.
 */
import {
  denial,
  type Denial,
  inCidrs,
  missingScopes,
  reachesResource,
  reachesTenant,
  type Caller,
} from '../kernel/index.ts'
import type { PresentedKey } from '../api-keys/index.ts'
import type { VerifyRequest } from './verify-request.ts'

type Check = (presented: PresentedKey, request: VerifyRequest, nowMs: number) => Denial | undefined

const withinReach: Check = ({ key }, { reach }) => {
  const caller = reach as Caller
  return reachesTenant(caller, key.tenantId) && reachesResource(caller, key.resourceId)
    ? undefined
    : denial('unknown')
}

const ofResource: Check = ({ resourceUri }, { resource }) =>
  resource === undefined || resource === resourceUri ? undefined : denial('wrong_resource')

const ofTenant: Check = ({ key }, { tenant }) =>
  tenant === undefined || tenant === key.tenantId ? undefined : denial('wrong_tenant')

const alive: Check = ({ key, dead }) => (key.revokedAtMs !== null || dead ? denial('revoked') : undefined)

const enabled: Check = ({ key, tenantDisabled }) =>
  key.disabledAtMs !== null || tenantDisabled ? denial('disabled') : undefined

const unexpired: Check = ({ key }, _, nowMs) =>
  key.expiresAtMs !== null && key.expiresAtMs <= nowMs ? denial('expired') : undefined

const begun: Check = ({ key }, _, nowMs) =>
  key.notBeforeMs !== null && key.notBeforeMs > nowMs ? denial('not_yet_valid') : undefined

const ofEnvironment: Check = ({ key }, { environment }) =>
  environment === 'any' || environment === key.environment ? undefined : denial('wrong_environment')

/** A page's script sends Origin or Sec-Fetch-Site: whoever opens the page can read the key. */
const outsideBrowser: Check = ({ key, allowBrowserKeys }, { origin, secFetchSite }) =>
  allowBrowserKeys || key.environment === 'test' || (origin === undefined && secFetchSite === undefined)
    ? undefined
    : denial('exposed_in_browser')

const fromAllowedAddress: Check = ({ ipAllow }, { ip }) =>
  ipAllow.length === 0 || (ip !== undefined && inCidrs(ip, ipAllow)) ? undefined : denial('ip_not_allowed')

const withScopes: Check = ({ scopes: held }, { scopes }) =>
  missingScopes(held, scopes).length === 0 ? undefined : denial('insufficient_scope', { scopes })

export const CHECKS: readonly Check[] = [
  withinReach,
  ofResource,
  ofTenant,
  alive,
  unexpired,
  begun,
  enabled,
  ofEnvironment,
  outsideBrowser,
  fromAllowedAddress,
  withScopes,
]

export function firstDenial(
  presented: PresentedKey,
  request: VerifyRequest,
  nowMs: number,
): Denial | undefined {
  for (const check of CHECKS) {
    const refused = check(presented, request, nowMs)
    if (refused) return refused
  }
  return undefined
}
