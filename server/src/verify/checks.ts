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
import { satisfiesAcr } from '../identity/index.ts'
import { CLOCK_TOLERANCE_SECONDS } from '../tokens/index.ts'
import { provePossession } from './prove-possession.ts'
import type { SeenProofs } from './seen-proofs.ts'
import type { VerifyRequest } from './verify-request.ts'

/** What the checks know besides: this process's clock and memory. */
export interface Circumstances {
  readonly nowMs: number
  readonly seenProofs: SeenProofs
}

type Check = (
  presented: Presented,
  request: VerifyRequest,
  circumstances: Circumstances,
) => Denial | undefined

const withinReach: Check = ({ principal, resourceId }, { reach }) =>
  reachesTenant(reach, principal.tenant) && reachesResource(reach, resourceId) ? undefined : denial('unknown')

const ofResource: Check = ({ principal }, { resource }) =>
  resource === undefined || resource === principal.resource ? undefined : denial('wrong_resource')

const ofTenant: Check = ({ principal }, { tenant }) =>
  tenant === undefined || tenant === principal.tenant ? undefined : denial('wrong_tenant')

const unrevoked: Check = ({ revoked }) => (revoked ? denial('revoked') : undefined)

const unexpired: Check = ({ expiresAtMs }, _, { nowMs }) =>
  expiresAtMs !== null && expiresAtMs <= nowMs ? denial('expired') : undefined

const begun: Check = ({ notBeforeMs }, _, { nowMs }) =>
  notBeforeMs !== null && notBeforeMs > nowMs ? denial('not_yet_valid') : undefined

const enabled: Check = ({ disabled }) => (disabled ? denial('disabled') : undefined)

const ofEnvironment: Check = ({ principal }, { environment }) =>
  environment === 'any' || environment === principal.credential.environment
    ? undefined
    : denial('wrong_environment')

const ofKind: Check = ({ principal }, { kinds }) =>
  kinds === undefined || kinds.includes(principal.credential.type) ? undefined : denial('unsupported')

/** A page's script sends Origin or Sec-Fetch-Site: whoever opens the page can read the key. */
const outsideBrowser: Check = ({ allowBrowser }, { origin, secFetchSite }) =>
  allowBrowser || (origin === undefined && secFetchSite === undefined)
    ? undefined
    : denial('exposed_in_browser')

const fromAllowedAddress: Check = ({ ipAllow }, { ip }) =>
  ipAllow.length === 0 || (ip !== undefined && inCidrs(ip, ipAllow)) ? undefined : denial('ip_not_allowed')

const withProof: Check = ({ principal }, request, circumstances) =>
  provePossession(principal, request, circumstances)

const withScopes: Check = ({ principal }, { scopes }) =>
  missingScopes(principal.scopes, scopes).length === 0 ? undefined : denial('insufficient_scope', { scopes })

const withRole: Check = ({ principal }, { roles }) =>
  roles === undefined || roles.length === 0 || roles.some((role) => principal.roles.includes(role))
    ? undefined
    : denial('insufficient_scope')

/**
 * RFC 9470: what is asked of the sign-in behind a credential. A credential with no sign-in behind it (a key, a client's
 * own token) meets no demand at all, and one that does not say when it was meets no age.
 */
const signedInAsAsked: Check = ({ principal }, { acrValues = [], maxAgeSeconds }, { nowMs }) => {
  const { acr, authTimeMs } = principal
  const strongEnough =
    acrValues.length === 0 || (acr !== undefined && acrValues.some((wanted) => satisfiesAcr(acr, wanted)))
  if (strongEnough && (maxAgeSeconds === undefined || isWithin(maxAgeSeconds, authTimeMs, nowMs)))
    return undefined
  return denial('insufficient_authentication', {
    ...(acrValues.length > 0 && { acrValues }),
    ...(maxAgeSeconds !== undefined && { maxAgeSeconds }),
  })
}

/** In whole seconds, as `auth_time` has no others. A sign-in from further ahead than clocks differ tells of no age. */
function isWithin(maxAgeSeconds: number, authTimeMs: number | undefined, nowMs: number): boolean {
  if (authTimeMs === undefined) return false
  const ageSeconds = Math.floor(nowMs / 1000) - Math.floor(authTimeMs / 1000)
  return ageSeconds <= maxAgeSeconds && ageSeconds >= -CLOCK_TOLERANCE_SECONDS
}

export const CHECKS: readonly Check[] = [
  withinReach,
  ofResource,
  ofTenant,
  unrevoked,
  unexpired,
  begun,
  enabled,
  ofEnvironment,
  ofKind,
  outsideBrowser,
  fromAllowedAddress,
  withProof,
  withScopes,
  withRole,
  signedInAsAsked,
]

export function firstDenial(
  presented: Presented,
  request: VerifyRequest,
  circumstances: Circumstances,
): Denial | undefined {
  for (const check of CHECKS) {
    const refused = check(presented, request, circumstances)
    if (refused) return refused
  }
  return undefined
}
