/** A proven token, ours or a trusted issuer's, as `verify` judges it. */
import type { Clock, DenialCode, Presented, Principal } from '../kernel/index.ts'
import type { ResourceScope } from '../resources/index.ts'
import { feedRef, subjectKey } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Dependency, Standing } from './presented-token-store.ts'
import type { SigningKeys } from './signing-keys.ts'
import type { TrustedIssuers } from './trusted-issuers.ts'

export interface TokenPorts {
  readonly storage: Storage
  readonly clock: Clock
  readonly signingKeys: SigningKeys
  readonly trustedIssuers: TrustedIssuers
  /** What is stored for an opaque access token, as the claims of a JWT but for `iss`; undefined when there is none. */
  storedClaims(text: string): Promise<Readonly<Record<string, unknown>> | undefined>
  /** The deployment's own issuer. */
  readonly issuer: string
  /** A token claims a position that the server has not reached: its signing key may be stolen, or the database is old. */
  readonly onPositionAhead?: (seen: { kid: string | null; rsn: number; head: number }) => void
}

/** A token whose signature was proven. */
export type PresentedToken = Presented

export interface ProvenToken {
  /** The scopes as the token has them; its resource is filled in from the database. */
  readonly principal: Omit<Principal, 'resource'>
  readonly expiresAtMs: number
  /** Levels above it deny the token. */
  readonly rsn: number
  /** Whatever else has ended it. */
  readonly revoked: boolean
}

export function present(
  standing: Standing,
  dependsOn: readonly Dependency[],
  { principal, expiresAtMs, rsn, revoked }: ProvenToken,
): PresentedToken {
  const known = new Set((JSON.parse(standing.resourceScopes) as ResourceScope[]).map((scope) => scope.name))
  const resourceId = standing.resourceId as string
  return {
    principal: {
      ...principal,
      resource: standing.resourceUri,
      // Scopes that the resource no longer has stop counting.
      scopes: principal.scopes.filter((scope) => known.has(scope)),
      expiresAtMs,
    },
    resourceId,
    revoked:
      revoked || standing.ended === 1 || (standing.floor ?? 0) > rsn || standing.tenantDeletedAt !== null,
    disabled: standing.tenantDisabledAt !== null,
    notBeforeMs: null,
    expiresAtMs,
    ipAllow: [],
    ipAllowText: [],
    // Single-page applications hold tokens; that is what their short life is for.
    allowBrowser: true,
    cacheSeconds: standing.cacheSeconds,
    refs: [...dependsOn.map(([kind, key]) => feedRef(kind, key)), feedRef('resource', resourceId)],
  }
}

/** Why nothing can be presented at all; undefined when there is one tenant and one resource of ours. */
export function refusalOf(found: readonly Standing[]): DenialCode | undefined {
  const [standing] = found
  if (!standing || standing.tenantId === null) return 'unknown'
  if (standing.resourceId === null) return 'wrong_resource'
  // Two of ours in one `aud`: which of them it is for would be a guess.
  return found.length > 1 ? 'malformed' : undefined
}

/** Whoever acts is checked as an actor, and as what they are besides. */
export function actorsOf(tenant: string, subs: readonly string[]): Dependency[] {
  return subs.flatMap((sub): Dependency[] => {
    const key = subjectKey(tenant, sub)
    return [['actor', key], ['subject', key], ...(sub.startsWith('cli_') ? [['client', sub] as const] : [])]
  })
}
