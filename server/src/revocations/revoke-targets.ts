/**
 * Revokes targets through the operations of the modules that keep them, so that each kind has its rules in one place. All
 * in one transaction, in the order of ids; a dry run does the very same and is rolled back.
 */
import { type KeyContext, revokeApiKey } from '../api-keys/index.ts'
import { endGrant, livingClient, revokeClient } from '../clients/index.ts'
import { endUsersSession, lockedUser, signOutEverywhere } from '../identity/index.ts'
import {
  type Caller,
  type Denial,
  type ErrorCode,
  notFound,
  PosternError,
  type Presented,
  reachesResource,
  reachesTenant,
  requireDeployment,
  rfc3339,
} from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import {
  impliedTenant,
  recordActorRevoked,
  revokeActor,
  revokeSubject,
  revokeTenant,
} from '../tenants/index.ts'
import { prepareRevocation, revokeProofKey, revokeToken, type SigningKeyPorts } from '../tokens/index.ts'
import { isNamedInTenant, type Target, type TargetKind } from './target.ts'

export interface RevokingPorts {
  readonly storage: Storage
  readonly context: KeyContext
  readonly signingKeys: SigningKeyPorts
  /** Proves a token that was presented; what has expired or was forged is a Denial. */
  findToken(text: string): Promise<Presented | Denial>
}

export interface Outcome {
  readonly kind: TargetKind
  /** What was revoked: for a token its `jti`. */
  readonly id: string
  readonly tenant: string | null
  readonly status: 'revoked' | 'already_revoked' | 'refused'
  /** The event to look back at; null when nothing was changed. */
  readonly revocation: string | null
  readonly at: string | null
  /** Why it was refused. */
  readonly code?: ErrorCode
  readonly detail?: string
}

/** A target that was looked at before the transaction; `apply` may be run twice. */
export interface Prepared {
  readonly kind: TargetKind
  readonly id: string
  readonly tenant: string | null
  readonly apply: (tx: Transaction, changes: Changes) => Promise<unknown>
}

export async function prepareTargets(
  ports: RevokingPorts,
  caller: Caller,
  targets: readonly Target[],
  reason: string | undefined,
): Promise<Prepared[]> {
  const prepared: Prepared[] = []
  for (const target of targets)
    prepared.push(
      await prepare(ports, caller, target, reason).catch((error: unknown) => {
        // What is not there is said when its turn comes, beside what the others came to.
        if (!(error instanceof PosternError)) throw error
        const apply = (): Promise<never> => Promise.reject(error)
        return { kind: target.kind, id: target.id ?? '', tenant: target.tenant ?? null, apply }
      }),
    )
  return prepared
}

/** Answers in the order of `prepared`. Refusals of some change nothing for the others. */
export async function applyTargets(
  tx: Transaction,
  changes: Changes,
  prepared: readonly Prepared[],
): Promise<Outcome[]> {
  const outcomes = new Map<Prepared, Outcome>()
  const inOrder = [...prepared].sort((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0))
  for (const one of inOrder) outcomes.set(one, await applyOne(tx, changes, one))
  return prepared.map((one) => outcomes.get(one) as Outcome)
}

async function applyOne(
  tx: Transaction,
  changes: Changes,
  { kind, id, tenant, apply }: Prepared,
): Promise<Outcome> {
  const about = { kind, id, tenant }
  const ended: { revocation: string; at: string }[] = []
  const noting = changes.noting((event, { feed }) => {
    if (feed !== null && feed.effect !== 'changed')
      ended.push({ revocation: event.id, at: rfc3339(event.at) })
  })
  try {
    await apply(tx, noting)
  } catch (error) {
    // Refused before it wrote anything: the operations look first.
    if (!(error instanceof PosternError) || error.status >= 500) throw error
    return {
      ...about,
      status: 'refused',
      revocation: null,
      at: null,
      code: error.code,
      detail: error.message,
    }
  }
  const [first] = ended
  return first
    ? { ...about, status: 'revoked', ...first }
    : { ...about, status: 'already_revoked', revocation: null, at: null }
}

async function prepare(
  ports: RevokingPorts,
  caller: Caller,
  target: Target,
  given: string | undefined,
): Promise<Prepared> {
  const { kind, id = '' } = target
  const reason = given ?? null
  const of = (tenant: string | null, apply: Prepared['apply']): Prepared => ({ kind, id, tenant, apply })

  switch (kind) {
    case 'token':
      return prepareToken(ports, caller, target, reason)
    case 'api_key':
      return of(null, (tx, changes) => revokeApiKey(tx, { ...ports.context, changes }, caller, id, given))
    case 'session':
      return of(null, (tx, changes) =>
        endUsersSession(tx, changes, caller, { id, ...(given && { reason: given }) }),
      )
    case 'grant':
      return of(null, async (tx, changes) => {
        const reaches = (tenant: string | null): boolean => caller.tenant === null || tenant === caller.tenant
        if (!(await endGrant(tx, changes, caller, id, reason, reaches))) throw notFound('grant that is alive')
      })
    case 'client':
      return of(null, (tx, changes) => revokeClient(tx, changes, caller, id, reason))
    case 'tenant':
      return of(id, (tx, changes) => revokeTenant(tx, changes, caller, id, reason))
    case 'proof_key':
      return of(null, async (tx, changes) => revokeProofKey(tx, changes, caller, id, reason))
    case 'signing_key': {
      const revoke = await prepareRevocation(ports.signingKeys, caller, id)
      return of(null, (tx, changes) => revoke(tx, changes, reason))
    }
    case 'subject':
    case 'actor':
      if (isNamedInTenant(target)) {
        const tenantId = await impliedTenant(ports.storage, caller, target.tenant)
        const revoke = kind === 'subject' ? revokeSubject : revokeActor
        return of(tenantId, (tx, changes) => revoke(tx, changes, caller, { tenantId, sub: id, reason }))
      }
      return of(null, (tx, changes) =>
        kind === 'subject'
          ? signOutEverywhere(tx, changes, caller, id, given)
          : revokeKnownActor(tx, changes, caller, id, reason),
      )
  }
}

/** A user or a client that acts for others. */
async function revokeKnownActor(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  sub: string,
  reason: string | null,
): Promise<void> {
  const tenant = sub.startsWith('cli_')
    ? (await livingClient(tx, caller, sub)).tenantId
    : (await lockedUser(tx, caller, sub), null)
  recordActorRevoked(tx, changes, caller, { tenant, sub, key: sub, reason })
}

/** By its text, which shows whose it is; by its `jti` alone nobody can tell, so that is for the deployment. */
async function prepareToken(
  { findToken }: RevokingPorts,
  caller: Caller,
  { id, token }: Target,
  reason: string | null,
): Promise<Prepared> {
  if (token === undefined) {
    const jti = id as string
    return {
      kind: 'token',
      id: jti,
      tenant: null,
      apply: async (tx, changes) => {
        requireDeployment(caller, 'Revoking a token by its id alone')
        revokeToken(tx, changes, caller, { jti, tenant: null, reason })
      },
    }
  }
  const found = await findToken(token)
  if ('valid' in found) throw notFound('token that is valid')
  const { principal, resourceId, revoked, refs } = found
  const { tenant } = principal
  if (!reachesTenant(caller, tenant) || !reachesResource(caller, resourceId))
    throw notFound('token that is valid')
  // Its name in the feed: of a trusted issuer's token not the `jti` alone.
  const jti = (refs.find((ref) => ref.startsWith('token:')) ?? `token:${principal.credential.id}`).slice(6)
  return {
    kind: 'token',
    id: jti,
    tenant,
    apply: async (tx, changes) => {
      const data = {
        sub: principal.sub,
        ...(principal.clientId !== undefined && { client: principal.clientId }),
      }
      if (!revoked) revokeToken(tx, changes, caller, { jti, tenant, data, reason })
    },
  }
}
