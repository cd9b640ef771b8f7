/** Adding and revoking client secrets: several are good at once, so that rotation leaves no gap. */
import { type Caller, invalid, notFound, PosternError } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { about, livingClient } from './change-clients.ts'
import { type Client, type ClientSecret, usesSecret } from './client.ts'
import { makeSecret, MOST_SECRETS } from './client-secrets.ts'
import { saveClient } from './store.ts'

export interface AddSecretInput {
  readonly expiresAtMs?: number | null | undefined
  /** Ends the others after this overlap; undefined leaves them as they are. */
  readonly endOthersInSeconds?: number | undefined
}

export interface AddedSecret {
  readonly client: Client
  readonly secret: ClientSecret
  /** Shown once. */
  readonly text: string
}

/** Expired ones make room; throws `conflict` while five are good. */
export async function addClientSecret(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  { expiresAtMs = null, endOthersInSeconds }: AddSecretInput,
): Promise<AddedSecret> {
  const before = await livingClient(tx, caller, id)
  if (!usesSecret(before)) throw invalid('', 'This client does not authenticate with a secret.')
  const nowMs = changes.clock.nowMs()
  if (expiresAtMs !== null && expiresAtMs <= nowMs)
    throw invalid('/expires_at', 'The expiry must lie in the future.')
  const overlapEndsMs = endOthersInSeconds === undefined ? null : nowMs + endOthersInSeconds * 1000
  const others = before.secrets
    .map((secret) => ({ ...secret, expiresAtMs: earlier(secret.expiresAtMs, overlapEndsMs) }))
    .filter((secret) => secret.expiresAtMs === null || secret.expiresAtMs > nowMs)
  if (others.length >= MOST_SECRETS)
    throw new PosternError('conflict', `A client has at most ${MOST_SECRETS} secrets; revoke one first.`)
  const { secret, text } = makeSecret(changes.clock, expiresAtMs)
  const client = { ...before, secrets: [...others, secret], updatedAtMs: nowMs }
  await saveClient(tx, client)
  changes.record(tx, caller, {
    ...about(client, 'client.secret_added'),
    data: { secret: secret.id, overlap_seconds: endOthersInSeconds ?? null },
    feed: null,
  })
  return { client, secret, text }
}

/** `compromised`: whoever had it may hold tokens, so everything the client was given so far ends, too. */
export async function revokeClientSecret(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  secretId: string,
  compromised: boolean,
): Promise<Client> {
  const before = await livingClient(tx, caller, id)
  if (!before.secrets.some((secret) => secret.id === secretId)) throw notFound('secret')
  const client = {
    ...before,
    secrets: before.secrets.filter((secret) => secret.id !== secretId),
    updatedAtMs: changes.clock.nowMs(),
  }
  await saveClient(tx, client)
  changes.record(tx, caller, {
    ...about(client, 'client.secret_revoked'),
    data: { secret: secretId, compromised },
    feed: compromised ? { kind: 'client', key: id, effect: 'revoked', reason: 'secret compromised' } : null,
  })
  return client
}

function earlier(one: number | null, other: number | null): number | null {
  return one === null ? other : other === null ? one : Math.min(one, other)
}
