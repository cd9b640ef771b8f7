/**
 * From a JWT that a caller presented to everything that judging it needs: its signature, its claims, and one database
 * read that says whether anything denies it. FEED's rule is "deny if any of them matches"; the list of them is
 * `dependenciesOf`.
 */
import { denial, type Denial, type DenialCode, type Principal } from '../kernel/index.ts'
import { type FeedKind, subjectKey } from '../revocation/index.ts'
import { type AccessTokenClaims, actorSubs, readActors } from './access-token.ts'
import { decodeJsonObject, readJwsHeader, splitCompactJws } from './compact-jws.ts'
import { findForeignToken } from './find-foreign-token.ts'
import { actorsOf, present, type PresentedToken, refusalOf, type TokenPorts } from './present-token.ts'
import { type Dependency, selectStanding, type Standing } from './presented-token-store.ts'
import { wordsOf } from './trusted-issuer.ts'
import { audiencesOf, verifyAccessToken, type VerifiedToken } from './verify-access-token.ts'

/** A token of ours or of a trusted issuer, or why it is refused. Whom it may call, and with what, is judged by `verify`. */
export async function findPresentedToken(ports: TokenPorts, text: string): Promise<PresentedToken | Denial> {
  const jws = splitCompactJws(text)
  const header = jws && readJwsHeader(jws.header)
  if (!jws || !header) return denial('malformed')
  const { signingKeys } = ports
  if (header.kid === undefined || !signingKeys.verificationKey(header.kid)) {
    // Only where to look is taken from the unproven payload; what is found there must prove the rest.
    const issuer = decodeJsonObject(jws.payload)?.['iss']
    if (issuer !== ports.issuer) return findForeignToken(ports, jws, header, issuer)
    if (header.kid !== undefined) await signingKeys.refreshForUnknown()
  }
  const verified = verifyAccessToken(text, signingKeys, {
    issuer: ports.issuer,
    nowMs: ports.clock.nowMs(),
  })
  return verified.valid ? findStanding(ports, verified) : verified
}

async function findStanding(
  ports: TokenPorts,
  { claims, kid }: VerifiedToken,
): Promise<PresentedToken | Denial> {
  const dependsOn = dependenciesOf(claims, kid)
  const found = await selectStanding(ports.storage, {
    audiences: audiencesOf(claims.aud),
    tenantId: claims.tenant,
    kid,
    issuerId: null,
    dependsOn,
  })
  const standing = found[0] as Standing
  const refused = refusalOf(found) ?? keyRefusalOf(standing)
  if (refused) return denial(refused)
  if (claims.rsn > standing.head) {
    ports.onPositionAhead?.({ kid, rsn: claims.rsn, head: standing.head })
    return denial('unknown')
  }
  return present(standing, dependsOn, {
    principal: principalOf(claims),
    expiresAtMs: claims.exp * 1000,
    rsn: claims.rsn,
    // A URI may be used again after its resource was deleted; tokens for the earlier one are not for the later.
    revoked: claims.iat < Math.floor(standing.resourceCreatedAtMs / 1000),
  })
}

/** Everything whose end is the token's end. */
export function dependenciesOf(claims: AccessTokenClaims, kid: string): Dependency[] {
  const { tenant, sub, gid, sid, cnf } = claims
  return [
    ['token', claims.jti],
    ['signing_key', kid],
    ['tenant', tenant],
    ['client', claims.client_id],
    ['subject', subjectKey(tenant, sub)],
    ...actorsOf(tenant, actorSubs(claims.act)),
    ...(gid === undefined ? [] : [['grant', gid] as const]),
    ...(sid === undefined ? [] : [['session', sid] as const]),
    ...(cnf === undefined ? [] : [['proof_key', cnf.jkt] as const]),
    ...(claims.anc ?? []).map((id): Dependency => [kindOfAncestor(id), id]),
  ]
}

const ANCESTORS: Readonly<Record<string, FeedKind>> = { key_: 'api_key', gra_: 'grant', ses_: 'session' }

/** What has none of our prefixes is a parent token's `jti`. */
function kindOfAncestor(id: string): FeedKind {
  return ANCESTORS[id.slice(0, 4)] ?? 'token'
}

/** Nothing in a token can be believed once its key is revoked: not even whose it was. */
function keyRefusalOf({ keyState }: Standing): DenialCode | undefined {
  if (keyState === 'revoked') return 'revoked'
  return keyState === null || keyState === 'gone' ? 'unknown' : undefined
}

function principalOf(claims: AccessTokenClaims): Omit<Principal, 'resource'> {
  const { sub } = claims
  const act = readActors(claims.act)
  return {
    sub,
    subType: sub.startsWith('usr_') ? 'user' : sub.startsWith('cli_') ? 'client' : 'external',
    tenant: claims.tenant,
    scopes: wordsOf(claims.scope),
    roles: claims.roles ?? [],
    credential: { type: 'access_token', id: claims.jti, environment: 'live' },
    clientId: claims.client_id,
    ...(act && { act }),
    ...(claims.cnf && { cnf: claims.cnf }),
    ...(claims.gid !== undefined && { grantId: claims.gid }),
    ...(claims.sid !== undefined && { sessionId: claims.sid }),
    ...(claims.acr !== undefined && { acr: claims.acr }),
    ...(claims.amr && { amr: claims.amr }),
    ...(claims.auth_time !== undefined && { authTimeMs: claims.auth_time * 1000 }),
  }
}
