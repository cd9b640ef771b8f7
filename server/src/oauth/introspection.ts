/** What introspection tells of an access token. Without the engine, which is not loaded for this alone. */
import { type Caller, reachesResource, reachesTenant } from '../kernel/index.ts'
import type { OwnToken } from '../tokens/index.ts'
import type { OAuthPorts } from './ports.ts'

/** For an operator key with the scope `verify`: of tokens for the APIs and the tenant that it is bound to. */
export async function introspectFor(
  { credentials }: Pick<OAuthPorts, 'credentials'>,
  caller: Caller,
  token: string,
): Promise<object> {
  const found = await credentials.accessToken(token)
  if ('valid' in found) return { active: false }
  const { claims, presented } = found
  const reached = reachesTenant(caller, claims.tenant) && reachesResource(caller, presented.resourceId)
  return reached ? told(found) : { active: false }
}

/** RFC 7662, section 2.2. Where it stands in the feed, and what it descends from, is between us and verifiers. */
export function told({ claims, presented }: OwnToken): object {
  const { rsn: _, anc: __, lim: ___, ...shown } = claims
  return {
    active: true,
    ...shown,
    scope: presented.principal.scopes.join(' '),
    token_type: claims.cnf ? 'DPoP' : 'Bearer',
  }
}
