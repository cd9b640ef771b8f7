/** Ends one access token for ever: its row of the feed is all that it takes, whichever form it had. */
import type { ChangeMaker } from '../kernel/index.ts'
import type { AccessTokenClaims } from '../tokens/index.ts'
import type { OAuthPorts } from './ports.ts'

export async function endToken(
  { storage, changes }: Pick<OAuthPorts, 'storage' | 'changes'>,
  by: ChangeMaker,
  claims: AccessTokenClaims,
): Promise<void> {
  await storage.write(async (tx) => {
    changes.record(tx, by, {
      action: 'token.revoked',
      tenant: claims.tenant,
      target: { type: 'token', id: claims.jti },
      data: { client: claims.client_id, sub: claims.sub },
      feed: { kind: 'token', key: claims.jti, effect: 'revoked' },
    })
  })
}
