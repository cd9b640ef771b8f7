/**
 * A token of a trusted issuer: proven by that issuer's keys alone, for the audiences and algorithms that were agreed,
 * and turned into a Principal by its map. It carries no position of our feed, so its `iat` stands for one.
 */
import { hash } from 'node:crypto'
import { denial, type Denial, type DenialCode, type Principal } from '../kernel/index.ts'
import { subjectKey } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import {
  type ActClaim,
  actorSubs,
  isAudience,
  isPlainText,
  isSeconds,
  readActors,
  readConfirmation,
} from './access-token.ts'
import { type CompactJws, decodeJsonObject, decodeSegment, type JwsHeader } from './compact-jws.ts'
import { verifyJws } from './jws-signature.ts'
import { actorsOf, present, type PresentedToken, refusalOf, type TokenPorts } from './present-token.ts'
import { type Dependency, selectStanding, type Standing } from './presented-token-store.ts'
import {
  foreignTokenKey,
  mapScopes,
  namespaced,
  readClaim,
  type TrustedIssuer,
  wordsOf,
} from './trusted-issuer.ts'
import { findTenantId } from './trusted-issuer-store.ts'
import { audiencesOf, CLOCK_TOLERANCE_SECONDS } from './verify-access-token.ts'

type Payload = Readonly<Record<string, unknown>>
type Check = (payload: Payload, issuer: TrustedIssuer, nowMs: number) => DenialCode | undefined

export async function findForeignToken(
  ports: TokenPorts,
  jws: CompactJws,
  header: JwsHeader,
  iss: unknown,
): Promise<PresentedToken | Denial> {
  const answer = await judge(ports, jws, header, iss)
  if (answer !== 'outdated') return answer
  // The agreement was changed since this process read it: by what it says now, or not at all.
  await ports.trustedIssuers.load()
  const again = await judge(ports, jws, header, iss)
  return again === 'outdated' ? denial('unavailable') : again
}

type Judged = PresentedToken | Denial | 'outdated'

async function judge(ports: TokenPorts, jws: CompactJws, header: JwsHeader, iss: unknown): Promise<Judged> {
  const payload = decodeJsonObject(jws.payload)
  if (!payload) return denial('malformed')
  const issuer = typeof iss === 'string' ? issuerFor(ports, iss, payload['aud']) : undefined
  if (!issuer || issuer === 'wrong_resource') return denial(issuer ?? 'unknown')
  if (!TOKEN_TYPES.has(header.typ ?? '')) return denial('unsupported')

  const key = await ports.trustedIssuers.keyFor(issuer, header)
  if (typeof key === 'string') return denial(key)
  if (!verifyJws(key.alg, key.publicKey, jws.signingInput, decodeSegment(jws.signature)))
    return denial('unknown')
  for (const check of CHECKS) {
    const refused = check(payload, issuer, ports.clock.nowMs())
    if (refused) return denial(refused)
  }
  return findStanding(ports, issuer, payload, jws)
}

/** Many providers sign access tokens as `JWT` or say no type at all; a logout token or an ID token may say what it is. */
const TOKEN_TYPES: ReadonlySet<string> = new Set(['at+jwt', 'jwt', ''])

/** The agreement that this audience belongs to: of one issuer, no two share an audience. */
function issuerFor(
  { trustedIssuers }: TokenPorts,
  iss: string,
  aud: unknown,
): TrustedIssuer | 'wrong_resource' | undefined {
  const candidates = trustedIssuers.of(iss)
  if (candidates.length === 0 || !isAudience(aud)) return undefined
  const audiences = audiencesOf(aud as string | string[])
  const fitting = candidates.filter((issuer) => issuer.audiences.some((name) => audiences.includes(name)))
  return fitting.length === 1 ? fitting[0] : 'wrong_resource'
}

const wellFormed: Check = (payload, { claims }) => {
  const { exp, iat, nbf, jti } = payload
  const sound =
    isSeconds(exp) &&
    isSeconds(iat) &&
    (nbf === undefined || isSeconds(nbf)) &&
    (jti === undefined || isPlainText(jti, 200)) &&
    isPlainText(readClaim(payload, claims.sub)) &&
    (payload['act'] === undefined || readActors(payload['act']) !== undefined)
  return sound ? undefined : 'malformed'
}

/** OpenID Connect Core, section 2, and how Keycloak and Cognito mark an ID token. */
const noIdToken: Check = ({ at_hash, c_hash, typ, token_use, events }) =>
  at_hash !== undefined ||
  c_hash !== undefined ||
  events !== undefined ||
  token_use === 'id' ||
  /^(ID|Refresh|Offline|Logout)$/.test(String(typ))
    ? 'unsupported'
    : undefined

/** RFC 7800: whatever binds it beyond a DPoP key cannot be checked here, so it is not ignored. */
const understoodBinding: Check = ({ cnf }) =>
  cnf === undefined || readConfirmation(cnf) ? undefined : 'unsupported'

const unexpired: Check = (payload, issuer, nowMs) =>
  endOf(payload, issuer) * 1000 > nowMs ? undefined : 'expired'

const notFromTheFuture: Check = ({ iat, nbf }, _, nowMs) =>
  Math.max(iat as number, (nbf as number | undefined) ?? 0) <= nowMs / 1000 + CLOCK_TOLERANCE_SECONDS
    ? undefined
    : 'not_yet_valid'

const CHECKS: readonly Check[] = [wellFormed, noIdToken, understoodBinding, unexpired, notFromTheFuture]

/** Rows of the feed are kept for as long as tokens may live: a longer-lived one would outlive its revocation. */
function endOf({ exp, iat }: Payload, { longestTokenSeconds }: TrustedIssuer): number {
  return Math.min(exp as number, (iat as number) + longestTokenSeconds)
}

async function findStanding(
  { storage, clock }: TokenPorts,
  issuer: TrustedIssuer,
  payload: Payload,
  jws: CompactJws,
): Promise<Judged> {
  const tenantId = await tenantOf(storage, issuer, payload)
  if (tenantId === undefined) return denial('unknown')
  const principal = principalOf(issuer, payload, tenantId, jws)
  const dependsOn = dependenciesOf(issuer, principal)
  const found = await selectStanding(storage, {
    audiences: [issuer.resourceUri],
    tenantId,
    kid: null,
    issuerId: issuer.id,
    dependsOn,
  })
  const standing = found[0] as Standing
  const refused = refusalOf(found)
  if (refused) return denial(refused)
  // Deleted since this process read it, or its resource was and another one has the URI now.
  if (standing.issuerUpdatedAt === null || standing.resourceId !== issuer.resourceId) return denial('revoked')
  if (standing.issuerUpdatedAt !== issuer.updatedAtMs) return 'outdated'
  const iat = payload['iat'] as number
  return present(standing, dependsOn, {
    principal,
    expiresAtMs: endOf(payload, issuer) * 1000,
    // Positions are microseconds since 1970. An `iat` that is ahead of our clock counts as now.
    rsn: Math.min(iat * 1_000_000, clock.nowMs() * 1000),
    revoked: (standing.issuerRevokedBefore ?? -1) >= iat,
  })
}

async function tenantOf(
  storage: Storage,
  { claims }: TrustedIssuer,
  payload: Payload,
): Promise<string | undefined> {
  const { tenant } = claims
  if ('id' in tenant) return tenant.id
  const named = readClaim(payload, tenant.claim)
  if (!isPlainText(named, 200)) return undefined
  return tenant.by === 'id' ? named : findTenantId(storage, named)
}

/** Everyone it names is its issuer's: subject, client and actors are namespaced alike. */
function principalOf(
  issuer: TrustedIssuer,
  payload: Payload,
  tenant: string,
  jws: CompactJws,
): Omit<Principal, 'resource'> {
  const { claims } = issuer
  const { jti, azp, client_id, acr, amr, auth_time } = payload
  // Without a `jti` a token is named by what it is.
  const tokenId = (jti as string | undefined) ?? hash('sha256', jws.payload, 'base64url')
  const client = [client_id, azp].find((value) => isPlainText(value))
  const act = readActors(payload['act'])
  const cnf = readConfirmation(payload['cnf'])
  const methods = wordsOf(amr)
  return {
    sub: namespaced(issuer, readClaim(payload, claims.sub) as string),
    subType: 'external',
    tenant,
    scopes: mapScopes(wordsOf(readClaim(payload, claims.scopes)), claims.scopeMap),
    roles: claims.roles === null ? [] : wordsOf(readClaim(payload, claims.roles)),
    credential: { type: 'access_token', id: foreignTokenKey(issuer.id, tokenId), environment: 'live' },
    ...(client !== undefined && { clientId: namespaced(issuer, client as string) }),
    ...(act && { act: namespacedActor(issuer, act) }),
    ...(cnf && { cnf }),
    ...(isPlainText(acr) && { acr }),
    ...(methods.length > 0 && { amr: methods }),
    ...(isSeconds(auth_time) && { authTimeMs: auth_time * 1000 }),
  }
}

function namespacedActor(issuer: TrustedIssuer, { sub, act }: ActClaim): ActClaim {
  return { sub: namespaced(issuer, sub), ...(act && { act: namespacedActor(issuer, act) }) }
}

/** A change of the agreement touches every token under it: its id stands in the place of a signing key. */
function dependenciesOf(issuer: TrustedIssuer, principal: Omit<Principal, 'resource'>): Dependency[] {
  const { tenant, sub, clientId, cnf } = principal
  return [
    ['token', principal.credential.id],
    ['signing_key', issuer.id],
    ['tenant', tenant],
    ['subject', subjectKey(tenant, sub)],
    ...(clientId === undefined ? [] : [['client', clientId] as const]),
    ...actorsOf(tenant, actorSubs(principal.act)),
    ...(cnf?.jkt === undefined ? [] : [['proof_key', cnf.jkt] as const]),
  ]
}
