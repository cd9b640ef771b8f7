/** What a credential depends on, as `kind:key`: a row of the feed about one of these touches the credential. */
import type { Actor, Principal } from './principal.ts'
import type { AccessTokenClaims, ActClaim } from './tokens/access-token.ts'

/** Everything whose end is the token's end, except the key that signed it. */
export function refsOfToken(claims: AccessTokenClaims, resourceId: string): string[] {
  const { tenant, sub, gid, sid, cnf, anc } = claims
  const refs = [
    `token:${claims.jti}`,
    `tenant:${tenant}`,
    `client:${claims.client_id}`,
    `subject:${subjectKey(tenant, sub)}`,
    `resource:${resourceId}`,
  ]
  addActors(refs, tenant, claims.act)
  if (gid !== undefined) refs.push(`grant:${gid}`)
  if (sid !== undefined) refs.push(`session:${sid}`)
  if (cnf !== undefined) refs.push(`proof_key:${cnf.jkt}`)
  if (anc !== undefined) for (const id of anc) refs.push(`${kindOfAncestor(id)}:${id}`)
  return refs
}

/** An external owner id means something inside its tenant only; an id of ours is unique. */
export function subjectKey(tenant: string, sub: string): string {
  return sub.startsWith('usr_') || sub.startsWith('cli_') ? sub : `${tenant}/${sub}`
}

/** Whoever acts is checked as an actor, and as what they are besides. */
function addActors(refs: string[], tenant: string, act: ActClaim | Actor | undefined): void {
  for (let actor = act; actor; actor = actor.act) {
    const key = subjectKey(tenant, actor.sub)
    refs.push(`actor:${key}`, `subject:${key}`)
    if (actor.sub.startsWith('cli_')) refs.push(`client:${actor.sub}`)
  }
}

const ANCESTORS: Readonly<Record<string, string>> = { key_: 'api_key', gra_: 'grant', ses_: 'session' }

/** What has none of our prefixes is a parent token's `jti`. */
function kindOfAncestor(id: string): string {
  return ANCESTORS[id.slice(0, 4)] ?? 'token'
}

const CREDENTIALS = { api_key: 'api_key', access_token: 'token', session: 'session' } as const

/**
 * Of an answer from a server that does not name them: what its Principal shows. Ancestors do not show, so that such an
 * answer is kept for a short time alone.
 */
export function refsOfPrincipal(principal: Principal): string[] {
  const { tenant, sub, credential, clientId, act, grantId, sessionId, cnf } = principal
  const refs = [
    `${CREDENTIALS[credential.type]}:${credential.id}`,
    `tenant:${tenant}`,
    `subject:${subjectKey(tenant, sub)}`,
  ]
  if (clientId !== undefined) refs.push(`client:${clientId}`)
  addActors(refs, tenant, act)
  if (grantId !== undefined) refs.push(`grant:${grantId}`)
  if (sessionId !== undefined) refs.push(`session:${sessionId}`)
  if (cnf?.jkt !== undefined) refs.push(`proof_key:${cnf.jkt}`)
  return refs
}
