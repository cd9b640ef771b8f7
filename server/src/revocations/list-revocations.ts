/** Looking back: what was ended, by whom and why, whichever way it was ended. Read from the audit, which has it all. */
import { type ChainedEvent, findEvent, listEvents } from '../audit/index.ts'
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  notFound,
  type Page,
  type Paged,
  reachesTenant,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'

/** Every action that ends something that verifiers hold, and what kind of thing that is (a test keeps it whole). */
export const ENDING_ACTIONS: Readonly<Record<string, string>> = {
  'token.revoked': 'token',
  'api_key.revoked': 'api_key',
  'operator.revoked': 'api_key',
  'session.ended': 'session',
  'grant.revoked': 'grant',
  'proof_key.revoked': 'proof_key',
  'signing_key.revoked': 'signing_key',
  'subject.revoked': 'subject',
  'user.signed_out_everywhere': 'subject',
  'user.disabled': 'subject',
  'user.deleted': 'subject',
  'user.password_set': 'subject',
  'membership.deleted': 'subject',
  'actor.revoked': 'actor',
  'client.revoked': 'client',
  'client.disabled': 'client',
  'client.deleted': 'client',
  'tenant.revoked': 'tenant',
  'tenant.deleted': 'tenant',
  'resource.deleted': 'resource',
  'trusted_issuer.deleted': 'trusted_issuer',
  'trusted_issuer.tokens_revoked': 'trusted_issuer',
}

export interface RevocationFilter {
  readonly kind?: string | undefined
  readonly tenant?: string | undefined
  readonly sinceMs?: number | undefined
}

/** Newest first. */
export async function listRevocations(
  storage: Storage,
  caller: Caller,
  filter: RevocationFilter,
  page: Page,
): Promise<Paged<ChainedEvent>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const before = decodeCursor('revocations', 'number', page.cursor)
  const { kind, tenant, sinceMs } = filter
  // A tenant that the caller does not reach has nothing to show.
  if (tenant !== undefined && !reachesTenant(caller, tenant)) return { data: [], nextCursor: null }
  const actions = Object.keys(ENDING_ACTIONS).filter(
    (action) => kind === undefined || ENDING_ACTIONS[action] === kind,
  )
  const within = { actions, sinceMs, tenant: tenant ?? caller.tenant ?? undefined }
  const rows = await listEvents(storage, within, { before, limit: limit + 1 })
  return toPage('revocations', rows, limit, (event) => event.seq)
}

export async function getRevocation(storage: Storage, caller: Caller, id: string): Promise<ChainedEvent> {
  const event = await findEvent(storage, id)
  const within = caller.tenant === null || event?.tenant === caller.tenant
  if (!event || !within || !(event.action in ENDING_ACTIONS)) throw notFound('revocation')
  return event
}
