/** Ending one token, or every token that is bound to one proof key. */
import { type Caller, type ChangeMaker, requireDeployment } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'

export interface EndedToken {
  readonly jti: string
  /** Null: whoever ends it by its `jti` alone does not say. */
  readonly tenant: string | null
  readonly data?: Readonly<Record<string, unknown>>
  readonly reason?: string | null
}

/** Whoever calls it has shown that they may end this token. Tokens are not kept, so ending one twice writes two rows. */
export function revokeToken(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  { jti, tenant, data = {}, reason = null }: EndedToken,
): void {
  changes.record(tx, by, {
    action: 'token.revoked',
    tenant,
    target: { type: 'token', id: jti },
    data: { ...data, ...(reason !== null && { reason }) },
    feed: { kind: 'token', key: jti, effect: 'revoked', reason },
  })
}

/**
 * Ends every token that is bound to a key (RFC 9449), in whichever tenant, for ever: no token is bound to it again.
 * `jkt` is the key's thumbprint (RFC 7638).
 */
export function revokeProofKey(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  jkt: string,
  reason: string | null = null,
): void {
  requireDeployment(caller, 'Revoking a proof key')
  changes.record(tx, caller, {
    action: 'proof_key.revoked',
    tenant: null,
    target: { type: 'proof_key', id: jkt },
    data: { reason },
    // `deleted` leaves a floor, which outlasts the row: see `isProofKeyRevoked`.
    feed: { kind: 'proof_key', key: jkt, effect: 'deleted', reason },
  })
}
