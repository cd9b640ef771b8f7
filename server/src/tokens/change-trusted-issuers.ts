/** Agreements with issuers: made, changed, ended, and the revocation that they allow. A deployment operator's work. */
import { type Caller, invalid, newId, notFound, PosternError, requireDeployment } from '../kernel/index.ts'
import { lockResource } from '../resources/index.ts'
import { type Changes, noteTokenLifetime } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import { checkUrl } from './guarded-fetch.ts'
import { JWS_ALGORITHMS, type JwsAlgorithm } from './jws-signature.ts'
import { type ClaimsMap, foreignTokenKey, type TrustedIssuer } from './trusted-issuer.ts'
import {
  insertTrustedIssuer,
  lockTrustedIssuer,
  lockTrustedIssuers,
  markTrustedIssuerDeleted,
  saveTrustedIssuer,
  selectTrustedIssuers,
} from './trusted-issuer-store.ts'

export interface IssuerContext {
  readonly changes: Changes
  /** The deployment's own issuer: it cannot be a trusted one. */
  readonly ownIssuer: string
  readonly allowLoopback: boolean
}

interface Settings {
  readonly name: string
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  readonly jwksUri: string | null
  readonly claims: ClaimsMap
  readonly longestTokenSeconds: number
}

export interface TrustedIssuerInput extends Settings {
  readonly issuer: string
  readonly resourceId: string
  /** undefined: the issuer itself. */
  readonly subjectPrefix: string | undefined
}

export type TrustedIssuerPatch = { readonly [K in keyof Settings]?: Settings[K] | undefined }

/** The first tokens of most providers' keys. */
export const DEFAULT_ALGORITHMS: readonly JwsAlgorithm[] = ['RS256', 'ES256', 'EdDSA']
const MOST_ISSUERS = 100

export async function createTrustedIssuer(
  tx: Transaction,
  context: IssuerContext,
  caller: Caller,
  input: TrustedIssuerInput,
): Promise<TrustedIssuer> {
  requireDeployment(caller, 'Trusting an issuer')
  checkIssuer(context, input.issuer)
  await lockTrustedIssuers(tx)
  const others = await selectTrustedIssuers(tx.over())
  if (others.length >= MOST_ISSUERS)
    throw new PosternError('conflict', `At most ${MOST_ISSUERS} issuers can be trusted.`)
  const resource = await lockResource(tx, input.resourceId, 'share')
  if (!resource) throw notFound('resource')

  const nowMs = context.changes.clock.nowMs()
  const issuer: TrustedIssuer = {
    ...input,
    id: newId('iss', context.changes.clock),
    algorithms: requireAlgorithms(input.algorithms),
    resourceUri: resource.uri,
    subjectPrefix: input.subjectPrefix ?? input.issuer,
    revokedBefore: null,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  await checkAgreement(tx, context, issuer, others)
  await insertTrustedIssuer(tx, issuer)
  await noteTokenLifetime(tx, issuer.id, issuer.longestTokenSeconds, nowMs)
  record(tx, context, caller, issuer, 'created', { issuer: issuer.issuer, resource: resource.uri })
  return issuer
}

/** The issuer, its resource and its prefix stay: what tokens mean does not change under those who hold them. */
export async function updateTrustedIssuer(
  tx: Transaction,
  context: IssuerContext,
  caller: Caller,
  id: string,
  patch: TrustedIssuerPatch,
): Promise<TrustedIssuer> {
  requireDeployment(caller, 'Changing a trusted issuer')
  await lockTrustedIssuers(tx)
  const before = await livingIssuer(tx, id)
  const given = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined))
  const merged = { ...before, ...given } as TrustedIssuer
  const nowMs = context.changes.clock.nowMs()
  const issuer = { ...merged, algorithms: requireAlgorithms(merged.algorithms), updatedAtMs: nowMs }
  const others = await selectTrustedIssuers(tx.over())
  await checkAgreement(
    tx,
    context,
    issuer,
    others.filter((other) => other.id !== id),
  )
  await saveTrustedIssuer(tx, issuer)
  if (issuer.longestTokenSeconds !== before.longestTokenSeconds)
    await noteTokenLifetime(tx, id, issuer.longestTokenSeconds, nowMs)
  record(tx, context, caller, issuer, 'updated', { changed: Object.keys(given) })
  return issuer
}

/** All of its tokens are refused at once, for ever: an agreement made anew has another id. */
export async function deleteTrustedIssuer(
  tx: Transaction,
  context: IssuerContext,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a trusted issuer')
  const issuer = await livingIssuer(tx, id)
  const nowMs = context.changes.clock.nowMs()
  await markTrustedIssuerDeleted(tx, id, nowMs)
  await noteTokenLifetime(tx, id, null, nowMs)
  record(tx, context, caller, issuer, 'deleted', { issuer: issuer.issuer }, 'deleted')
}

/**
 * Refuses every token that the issuer issued in `beforeMs`' second or before, by its own clock. Never moves back. A
 * token issued later in that very second is refused as well: `iat` is no finer.
 */
export async function revokeIssuedBefore(
  tx: Transaction,
  context: IssuerContext,
  caller: Caller,
  id: string,
  beforeMs: number | undefined,
): Promise<TrustedIssuer> {
  requireDeployment(caller, 'Revoking the tokens of an issuer')
  const before = await livingIssuer(tx, id)
  const nowMs = context.changes.clock.nowMs()
  if (beforeMs !== undefined && beforeMs > nowMs)
    throw invalid('/before', 'The time is in the future: tokens of then are not issued yet.')
  const seconds = Math.floor((beforeMs ?? nowMs) / 1000)
  const issuer = {
    ...before,
    revokedBefore: Math.max(seconds, before.revokedBefore ?? 0),
    updatedAtMs: nowMs,
  }
  await saveTrustedIssuer(tx, issuer)
  record(tx, context, caller, issuer, 'tokens_revoked', { before: issuer.revokedBefore })
  return issuer
}

/** Refuses one token of the issuer, by its `jti`; whether there is such a token cannot be known. */
export async function revokeForeignToken(
  tx: Transaction,
  { changes }: IssuerContext,
  caller: Caller,
  id: string,
  jti: string,
  reason: string | null = null,
): Promise<void> {
  requireDeployment(caller, 'Revoking a token of an issuer')
  await livingIssuer(tx, id)
  const key = foreignTokenKey(id, jti)
  changes.record(tx, caller, {
    action: 'token.revoked',
    tenant: null,
    target: { type: 'token', id: key },
    ...(reason !== null && { data: { reason } }),
    feed: { kind: 'token', key, effect: 'revoked', reason },
  })
}

async function livingIssuer(tx: Transaction, id: string): Promise<TrustedIssuer> {
  const issuer = await lockTrustedIssuer(tx, id)
  if (!issuer) throw notFound('trusted issuer')
  return issuer
}

function record(
  tx: Transaction,
  { changes }: IssuerContext,
  caller: Caller,
  { id }: TrustedIssuer,
  happened: string,
  data: Readonly<Record<string, unknown>>,
  effect: 'changed' | 'deleted' = 'changed',
): void {
  changes.record(tx, caller, {
    action: `trusted_issuer.${happened}`,
    tenant: null,
    target: { type: 'trusted_issuer', id },
    data,
    // The feed has no kind for issuers; to a token its issuer is what a signing key is: without it, nothing is proven.
    feed: { kind: 'signing_key', key: id, effect },
  })
}

/** OpenID Connect Discovery, section 3: an https URL without query and fragment. */
function checkIssuer({ ownIssuer, allowLoopback }: IssuerContext, issuer: string): void {
  if (issuer.replace(/\/$/, '') === ownIssuer.replace(/\/$/, ''))
    throw invalid('/issuer', 'This is the deployment itself; its own tokens are accepted already.')
  if (issuer.includes('|') || issuer.includes('?'))
    throw invalid('/issuer', 'An issuer is a URL without | and without a query.')
  requireUrl('/issuer', issuer, allowLoopback)
}

function requireUrl(pointer: string, url: string, allowLoopback: boolean): void {
  try {
    checkUrl(url, { allowLoopback })
  } catch {
    throw invalid(pointer, 'It must be an https URL without a password and without a fragment.')
  }
}

function requireAlgorithms(names: readonly string[]): JwsAlgorithm[] {
  const faulty = names.find((name) => !JWS_ALGORITHMS.includes(name as JwsAlgorithm))
  if (faulty === undefined) return names as JwsAlgorithm[]
  const shown = faulty.slice(0, 20)
  throw invalid(
    '/algorithms',
    /^(HS|none)/i.test(faulty)
      ? `${shown} is refused: it proves nothing that whoever checks it could not have made. docs/leaving-hs256.md shows the way.`
      : `${shown} is not known; the algorithms are ${JWS_ALGORITHMS.join(', ')}.`,
  )
}

/** What must hold beside all other agreements. */
async function checkAgreement(
  tx: Transaction,
  { allowLoopback }: IssuerContext,
  issuer: TrustedIssuer,
  others: readonly TrustedIssuer[],
): Promise<void> {
  if (issuer.jwksUri !== null) requireUrl('/jwks_uri', issuer.jwksUri, allowLoopback)
  for (const other of others) {
    const sameIssuer = other.issuer === issuer.issuer
    if (!sameIssuer && other.subjectPrefix === issuer.subjectPrefix)
      throw new PosternError('conflict', 'Another issuer has this subject_prefix.')
    if (sameIssuer && other.resourceId === issuer.resourceId)
      throw new PosternError('conflict', 'This issuer is trusted for this resource already.')
    const shared = sameIssuer && other.audiences.find((name) => issuer.audiences.includes(name))
    if (typeof shared === 'string')
      throw new PosternError(
        'conflict',
        `Of this issuer, the audience ${shared} is for another resource already.`,
      )
  }
  const { tenant } = issuer.claims
  if ('id' in tenant && !(await lockTenant(tx, tenant.id, 'share'))) throw notFound('tenant')
}
