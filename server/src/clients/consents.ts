/** What a user allowed a client, remembered: asked again only for what is new. */
import type { ChangeMaker } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { putConsent, selectConsent } from './consent-store.ts'

export interface ConsentedScopes {
  /** Scopes of OpenID Connect. */
  readonly openid: readonly string[]
  /** By the URI of the resource. */
  readonly resources: Readonly<Record<string, readonly string[]>>
}

export interface ConsentKey {
  readonly userId: string
  readonly clientId: string
  readonly tenantId: string
}

export const NOTHING_CONSENTED: ConsentedScopes = { openid: [], resources: {} }

export async function findConsent(
  storage: Storage,
  { userId, clientId, tenantId }: ConsentKey,
): Promise<ConsentedScopes> {
  const row = await selectConsent(storage, userId, clientId, tenantId)
  return row ? (JSON.parse(row.scopes) as ConsentedScopes) : NOTHING_CONSENTED
}

/** Adds to what was allowed before. `rsn`: the position read before the user was asked. */
export async function rememberConsent(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  key: ConsentKey,
  { before, more, rsn }: { before: ConsentedScopes; more: ConsentedScopes; rsn: number },
): Promise<void> {
  const { userId, clientId, tenantId } = key
  const nowMs = changes.clock.nowMs()
  const scopes = union(before, more)
  await putConsent(tx, {
    user_id: userId,
    client_id: clientId,
    tenant_id: tenantId,
    scopes: JSON.stringify(scopes),
    rsn,
    created_at: nowMs,
    updated_at: nowMs,
  })
  changes.record(tx, by, {
    action: 'consent.given',
    tenant: tenantId,
    target: { type: 'client', id: clientId },
    data: { user: userId, openid: more.openid, resources: more.resources },
    feed: null,
  })
}

/** Whether everything in `asked` is in `given`. */
export function covers(given: ConsentedScopes, asked: ConsentedScopes): boolean {
  const includes = (held: readonly string[] | undefined, wanted: readonly string[]): boolean =>
    wanted.every((scope) => held?.includes(scope) === true)
  return (
    includes(given.openid, asked.openid) &&
    Object.entries(asked.resources).every(([uri, scopes]) => includes(given.resources[uri], scopes))
  )
}

function union(one: ConsentedScopes, other: ConsentedScopes): ConsentedScopes {
  const uris = [...new Set([...Object.keys(one.resources), ...Object.keys(other.resources)])]
  return {
    openid: [...new Set([...one.openid, ...other.openid])],
    resources: Object.fromEntries(
      uris.map((uri) => [
        uri,
        [...new Set([...(one.resources[uri] ?? []), ...(other.resources[uri] ?? [])])],
      ]),
    ),
  }
}
