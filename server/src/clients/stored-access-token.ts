/**
 * Opaque access tokens as they are stored: what the engine keeps of one, in the words of a JWT's claims (RFC 9068), so
 * that whoever verifies tokens need not know which form one had.
 */
import { idHash } from './artifact.ts'
import { selectPayload } from './artifact-store.ts'
import type { Storage } from '../storage/index.ts'

/** A token for a user, and one for the client itself. */
const MODELS = ['AccessToken', 'ClientCredentials'] as const

/** All but `iss`. Undefined when there is none, or when it has ended by itself or with its grant. */
export async function storedAccessToken(
  storage: Storage,
  text: string,
): Promise<Record<string, unknown> | undefined> {
  const names = MODELS.map((model) => ({ model, idHash: idHash(model, text) }))
  const found = await selectPayload(storage, names)
  return found && toClaims(JSON.parse(found.payload) as StoredPayload, found.id_hash)
}

/** The engine's names. */
export interface StoredPayload {
  readonly kind: (typeof MODELS)[number]
  readonly iat: number
  readonly exp: number
  readonly accountId?: string
  readonly clientId: string
  readonly grantId?: string
  readonly aud?: string
  readonly scope?: string
  /** The thumbprint of the key that it is bound to (RFC 9449). */
  readonly jkt?: string
  /** Claims of ours: tenant, position, ancestors, … */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** Its name in the feed is its digest: whoever reads the feed can present nothing. */
function toClaims(payload: StoredPayload, jti: string): Record<string, unknown> {
  const { iat, exp, accountId, clientId, aud, scope, jkt, extra } = payload
  return {
    ...extra,
    ...(aud !== undefined && { aud }),
    ...(scope !== undefined && scope !== '' && { scope }),
    ...(jkt !== undefined && { cnf: { jkt } }),
    sub: accountId ?? clientId,
    client_id: clientId,
    exp,
    iat,
    jti,
  }
}
