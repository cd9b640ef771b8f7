/**
 * How far a revocation would reach. Keys, sessions, grants and clients are counted; access tokens are kept nowhere, so
 * what is said of them is how many can be alive at most.
 */
import { longestTokenSeconds } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import {
  clientsOfGrants,
  type Counts,
  countIssued,
  countReached,
  type Reached,
} from './blast-radius-store.ts'
import type { TargetKind } from './target.ts'

export interface BlastRadius extends Counts {
  readonly tokens: { readonly at_most: number; readonly counted: string }
}

export interface ReachedTarget {
  readonly kind: TargetKind
  readonly id: string
  readonly tenant: string | null
}

export async function blastRadius(
  storage: Storage,
  targets: readonly ReachedTarget[],
  nowMs: number,
): Promise<BlastRadius> {
  const of = (kind: TargetKind): string[] =>
    targets.filter((target) => target.kind === kind).map(({ id }) => id)
  const subjects = targets.filter(({ kind }) => kind === 'subject')
  const reached: Reached = {
    keys: of('api_key'),
    sessions: of('session'),
    grants: of('grant'),
    clients: of('client'),
    tenants: of('tenant'),
    users: subjects.filter(({ tenant }) => tenant === null).map(({ id }) => id),
    owners: subjects.flatMap(({ id, tenant }) => (tenant === null ? [] : [[tenant, id] as const])),
  }
  return {
    ...(await countReached(storage, reached, nowMs)),
    tokens: await tokensAtMost(storage, targets, reached, nowMs),
  }
}

/** Token issues are counted by minute and client, not one by one: the bound is everything that may be among them. */
async function tokensAtMost(
  storage: Storage,
  targets: readonly ReachedTarget[],
  { clients, grants }: Reached,
  nowMs: number,
): Promise<BlastRadius['tokens']> {
  const single = targets.filter(({ kind }) => kind === 'token').length
  const others = targets.filter(({ kind }) => kind !== 'token')
  if (others.length === 0) return { at_most: single, counted: 'The tokens that were named.' }
  const seconds = await longestTokenSeconds(storage.read(), nowMs)
  const within = `in the last ${seconds} seconds, which is as long as one lives`
  const byClient = others.every(({ kind }) => kind === 'client' || kind === 'grant')
  const concerned = byClient ? [...clients, ...(await clientsOfGrants(storage, grants))] : undefined
  const issued = await countIssued(storage, nowMs - seconds * 1000, concerned)
  return {
    at_most: single + issued,
    counted: byClient
      ? `Access tokens issued to these clients ${within}; they are not kept one by one.`
      : `All access tokens issued ${within}; which of them these are is not kept.`,
  }
}
