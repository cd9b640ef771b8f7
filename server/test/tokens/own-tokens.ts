/** For tests: tokens of a deployment's own with claims as a test wants them, signed by its own active key. */
import type { AccessTokenClaims } from '../../src/tokens/access-token.ts'
import type { Clock } from '../../src/kernel/index.ts'
import { mintAccessToken, SigningKeys } from '../../src/tokens/index.ts'
import { type Json, type Node, ROOT_SECRET } from '../deployment.ts'
import { claimsFor } from './forge.ts'

export type MintToken = (more?: Partial<AccessTokenClaims>) => string

/** Of the resource, for the tenant `default`, with the scope `orders:read`. */
export async function ownTokens(
  node: Pick<Node, 'deployment' | 'done'> & { readonly clock: Clock },
  resource: Json,
): Promise<MintToken> {
  const { storage, feed } = node.deployment
  const signingKeys = new SigningKeys(storage, ROOT_SECRET, node.clock)
  await signingKeys.load()
  const issuer = (await node.done('GET', '/.well-known/oauth-authorization-server')).issuer as string
  const [tenant] = (await node.done('GET', '/v1/tenants')).data
  return (more = {}) => {
    const base = { iss: issuer, aud: resource.uri, tenant: tenant.id, rsn: feed.position }
    const claims = claimsFor(node.clock.nowMs(), base, { scope: 'orders:read', ...more })
    return mintAccessToken(signingKeys, 'ES256', claims)
  }
}
