/** Ending a grant, with all that came of it: codes, refresh tokens and, through the feed, access tokens. */
import type { ChangeMaker } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { idHash } from './artifact.ts'
import { deleteGrant, lockArtifact } from './artifact-store.ts'

/**
 * Answers whether there was one; a grant that has ended is gone, and ending it again changes nothing. `reaches`: whether
 * whoever asks may end a grant of that tenant.
 */
export async function endGrant(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  grantId: string,
  reason: string | null,
  reaches: (tenantId: string | null) => boolean = () => true,
): Promise<boolean> {
  // The grant's own row first: whoever is about to store something under it waits for, or sees, its end.
  const grant = await lockArtifact(tx, 'Grant', idHash('Grant', grantId), 'update')
  if (grant && !reaches(grant.tenant_id)) return false
  const gone = await deleteGrant(tx, grantId)
  const first = grant ?? gone[0]
  if (!first) return false
  changes.record(tx, by, {
    action: 'grant.revoked',
    tenant: first.tenant_id,
    target: { type: 'grant', id: grantId },
    data: { client: first.client_id, user: first.account_id, reason, artifacts: gone.length },
    feed: { kind: 'grant', key: grantId, effect: 'revoked', reason },
  })
  return true
}
