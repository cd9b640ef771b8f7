/** RFC 9470: what a route asks of the sign-in behind a credential. One with no sign-in behind it meets no demand. */
import { satisfiesAcr } from '../identity/index.ts'
import { denial, type Denial, type Principal } from '../kernel/index.ts'
import type { GatewayRoute } from './route.ts'

export function signedInAsAsked(
  { acr, authTimeMs }: Principal,
  { acrValues, maxAgeSeconds }: Pick<GatewayRoute, 'acrValues' | 'maxAgeSeconds'>,
  nowMs: number,
): Denial | undefined {
  const strong =
    acrValues.length === 0 || (acr !== undefined && acrValues.some((wanted) => satisfiesAcr(acr, wanted)))
  const ageSeconds = authTimeMs === undefined ? undefined : Math.floor((nowMs - authTimeMs) / 1000)
  const fresh = maxAgeSeconds === null || (ageSeconds !== undefined && ageSeconds <= maxAgeSeconds)
  return strong && fresh ? undefined : denial('insufficient_authentication')
}
