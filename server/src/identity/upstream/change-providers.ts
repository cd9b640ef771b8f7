/** Providers: a deployment operator's work. Deleting one leaves the accounts, and the other ways into them. */
import { type Caller, invalid, newId, notFound, PosternError, requireDeployment } from '../../kernel/index.ts'
import type { Changes } from '../../revocation/index.ts'
import type { Storage, Transaction } from '../../storage/index.ts'
import type { IdentityContext } from '../identity-context.ts'
import { GITHUB, type Provider, type ProviderKind } from './provider.ts'
import {
  deleteProviderRows,
  insertProvider,
  lockProviders,
  saveProvider,
  type SealedProvider,
  selectProviders,
} from './provider-store.ts'

export interface ProviderInput {
  readonly name: string
  readonly kind: ProviderKind
  /** Undefined: GitHub's own. */
  readonly issuer: string | undefined
  readonly clientId: string
  readonly clientSecret: string
}

export interface ProviderPatch {
  readonly name?: string | undefined
  readonly clientSecret?: string | undefined
  readonly disabled?: boolean | undefined
}

const MOST_PROVIDERS = 20

export async function createProvider(
  tx: Transaction,
  { changes, providerSealer, issuer: ownIssuer }: IdentityContext,
  caller: Caller,
  { name, kind, issuer = kind === 'github' ? GITHUB : '', clientId, clientSecret }: ProviderInput,
): Promise<Provider> {
  requireDeployment(caller, 'Adding a sign-in provider')
  checkIssuer(issuer, ownIssuer)
  if ((await lockProviders(tx)).length >= MOST_PROVIDERS)
    throw new PosternError('conflict', `At most ${MOST_PROVIDERS} sign-in providers can be added.`)
  const id = newId('idp', changes.clock)
  const nowMs = changes.clock.nowMs()
  const provider: SealedProvider = {
    id,
    name,
    kind,
    issuer,
    clientId,
    sealedSecret: providerSealer.seal(id, clientSecret),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    disabledAtMs: null,
  }
  await insertProvider(tx, provider)
  record(tx, changes, caller, id, 'sign_in_provider.created', { name, issuer })
  return provider
}

/** Its issuer and its client stay: subjects are theirs. */
export async function updateProvider(
  tx: Transaction,
  { changes, providerSealer }: IdentityContext,
  caller: Caller,
  id: string,
  patch: ProviderPatch,
): Promise<Provider> {
  requireDeployment(caller, 'Changing a sign-in provider')
  const before = (await lockProviders(tx)).find((one) => one.id === id)
  if (!before) throw notFound('sign-in provider')
  const { name = before.name, clientSecret, disabled } = patch
  const nowMs = changes.clock.nowMs()
  const provider: SealedProvider = {
    ...before,
    name,
    sealedSecret: clientSecret === undefined ? before.sealedSecret : providerSealer.seal(id, clientSecret),
    disabledAtMs:
      disabled === undefined ? before.disabledAtMs : disabled ? (before.disabledAtMs ?? nowMs) : null,
    updatedAtMs: nowMs,
  }
  await saveProvider(tx, provider)
  const changed = Object.keys(patch).filter((member) => patch[member as keyof ProviderPatch] !== undefined)
  record(tx, changes, caller, id, 'sign_in_provider.updated', { changed })
  return provider
}

export async function deleteProvider(
  tx: Transaction,
  { changes }: Pick<IdentityContext, 'changes'>,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a sign-in provider')
  const provider = (await lockProviders(tx)).find((one) => one.id === id)
  if (!provider) throw notFound('sign-in provider')
  await deleteProviderRows(tx, id)
  record(tx, changes, caller, id, 'sign_in_provider.deleted', {
    name: provider.name,
    issuer: provider.issuer,
  })
}

export async function listProviders(storage: Storage, caller: Caller): Promise<Provider[]> {
  requireDeployment(caller, 'Reading sign-in providers')
  return selectProviders(storage)
}

function checkIssuer(issuer: string, ownIssuer: string): void {
  if (issuer === ownIssuer) throw invalid('/issuer', 'This is the deployment itself.')
  const url = URL.parse(issuer)
  const isLoopback = url !== null && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  const ownIsLoopback = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]?/.test(ownIssuer)
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback && ownIsLoopback)) {
    if (url.search === '' && url.hash === '' && url.username === '' && url.password === '') return
  }
  throw invalid('/issuer', 'It must be an https URL without query, fragment and password.')
}

function record(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  action: string,
  data: Readonly<Record<string, unknown>>,
): void {
  changes.record(tx, caller, {
    action,
    tenant: null,
    target: { type: 'sign_in_provider', id },
    data,
    feed: null,
  })
}
