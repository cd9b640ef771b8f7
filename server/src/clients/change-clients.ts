/** Registering, changing, disabling and deleting OAuth clients. */
import {
  type Caller,
  invalid,
  newId,
  notFound,
  PosternError,
  reachesTenant,
  requireDeployment,
} from '../kernel/index.ts'
import { type Changes, readFeedHead, type StateChange } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { lockTenant } from '../tenants/index.ts'
import { type Client, type ClientKind, type ClientSettings, KIND_RULES, usesSecret } from './client.ts'
import { checkClient, checkClientResources } from './client-rules.ts'
import { makeSecret } from './client-secrets.ts'
import { originsOf } from './redirect-rules.ts'
import { insertClient, lockClient, markClientDeleted, saveClient } from './store.ts'

type Loose<T> = { [K in keyof T]?: T[K] | undefined }

export interface ClientInput extends Loose<ClientSettings> {
  readonly name: string
  readonly kind: ClientKind
  /** Null: every tenant's users; needs a deployment operator. */
  readonly tenantId: string | null
}

export interface RegisteredClient {
  readonly client: Client
  /** Shown once; undefined for a client that uses none. */
  readonly secret: string | undefined
}

/** Throws `invalid_request` naming the member at fault, `not_found` for a tenant or resource out of reach. */
export async function createClient(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: ClientInput,
  id: string = newId('cli', changes.clock),
): Promise<RegisteredClient> {
  const { clock } = changes
  // The position first: a revocation that commits from here on outranks the new client.
  const { seq: rsn } = await readFeedHead(tx.over())
  const { name, kind, tenantId, ...given } = input
  const settings: ClientSettings = { ...defaultsOf(kind, input.redirectUris ?? []), ...defined(given) }
  guardPrivileges(caller, tenantId, settings, BLANK)
  checkClient({ name, kind, tenantId, ...settings })
  await checkClientResources(tx, caller, settings)
  if (tenantId !== null && !(await lockTenant(tx, tenantId, 'share'))) throw notFound('tenant')
  const made = usesSecret(settings) ? makeSecret(clock, null) : undefined
  const nowMs = clock.nowMs()
  const client: Client = {
    ...settings,
    id,
    tenantId,
    kind,
    name,
    secrets: made ? [made.secret] : [],
    rsn,
    createdAtMs: nowMs,
    createdBy: caller.id,
    updatedAtMs: nowMs,
    disabledAtMs: null,
  }
  await insertClient(tx, client)
  changes.record(tx, caller, {
    ...about(client, 'client.created'),
    data: { name, kind, grant_types: settings.grantTypes, first_party: settings.firstParty },
    feed: null,
  })
  return { client, secret: made?.text }
}

export interface ClientPatch extends Loose<ClientSettings> {
  readonly name?: string | undefined
  /** While it is disabled it gets no tokens, and those it had are dead for good. */
  readonly disabled?: boolean | undefined
}

export async function updateClient(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: ClientPatch,
): Promise<Client> {
  const before = await livingClient(tx, caller, id)
  const nowMs = changes.clock.nowMs()
  const { name, disabled, ...given } = patch
  const settings = defined(given) as Partial<ClientSettings>
  const client: Client = {
    ...before,
    ...settings,
    name: name ?? before.name,
    updatedAtMs: nowMs,
    disabledAtMs:
      disabled === undefined ? before.disabledAtMs : disabled ? (before.disabledAtMs ?? nowMs) : null,
  }
  guardPrivileges(caller, client.tenantId, client, before)
  checkClient(client)
  if (usesSecret(client) && !usesSecret(before))
    throw invalid('/auth_method', 'Register another client for a secret; this one was made without.')
  if (settings.resources || settings.introspects) await checkClientResources(tx, caller, client)
  await saveClient(tx, client)
  const turned = (before.disabledAtMs === null) !== (client.disabledAtMs === null)
  const action = !turned
    ? 'client.updated'
    : client.disabledAtMs === null
      ? 'client.enabled'
      : 'client.disabled'
  changes.record(tx, caller, {
    ...about(client, action),
    data: { changed: Object.keys(defined(patch)) },
    // A level: what it was given before is dead for good, what it is given once enabled again is not.
    feed: action === 'client.disabled' ? { kind: 'client', key: id, effect: 'revoked' } : null,
  })
  return client
}

/** Its tokens, grants and codes are dead at once; what is stored of them is purged as it expires. */
export async function deleteClient(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  const client = await livingClient(tx, caller, id)
  await markClientDeleted(tx, id, changes.clock.nowMs())
  changes.record(tx, caller, {
    ...about(client, 'client.deleted'),
    data: { name: client.name },
    feed: { kind: 'client', key: id, effect: 'deleted' },
  })
}

/** Ends what the client was given: its grants, its tokens, its users' consent. The client itself stays as it is. */
export async function revokeClient(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  reason: string | null = null,
): Promise<void> {
  const client = await livingClient(tx, caller, id)
  changes.record(tx, caller, {
    ...about(client, 'client.revoked'),
    data: { reason },
    feed: { kind: 'client', key: id, effect: 'revoked', reason },
  })
}

/** A client that the caller reaches, locked until COMMIT; `not_found` otherwise. */
export async function livingClient(tx: Transaction, caller: Caller, id: string): Promise<Client> {
  const client = await lockClient(tx, id)
  if (!client || !mayManage(caller, client)) throw notFound('client')
  return client
}

/** A client of no tenant is the deployment's: a tenant's own operator does not even see it. */
export function mayManage(caller: Caller, { tenantId }: Pick<Client, 'tenantId'>): boolean {
  return tenantId === null ? caller.tenant === null : reachesTenant(caller, tenantId)
}

export function about(
  { id, tenantId }: Client,
  action: string,
): Pick<StateChange, 'action' | 'tenant' | 'target'> {
  return { action, tenant: tenantId, target: { type: 'client', id } }
}

const BLANK: Pick<ClientSettings, 'firstParty'> = { firstParty: false }

/** What a tenant's own operator may not give a client: trust beyond that tenant, and consent that is not asked. */
function guardPrivileges(
  caller: Caller,
  tenantId: string | null,
  { firstParty }: Pick<ClientSettings, 'firstParty'>,
  before: Pick<ClientSettings, 'firstParty'>,
): void {
  if (tenantId === null) requireDeployment(caller, 'A client for every tenant')
  else if (!reachesTenant(caller, tenantId)) throw notFound('tenant')
  if (firstParty && !before.firstParty && caller.tenant !== null)
    throw new PosternError('forbidden', 'Marking a client as first-party needs a deployment operator.')
}

function defaultsOf(kind: ClientKind, redirectUris: readonly string[]): ClientSettings {
  const { grantTypes, authMethod } = KIND_RULES[kind]
  return {
    grantTypes,
    authMethod,
    redirectUris,
    postLogoutRedirectUris: [],
    corsOrigins: kind === 'browser' ? originsOf(redirectUris.filter((uri) => URL.canParse(uri))) : [],
    resources: [],
    introspects: [],
    firstParty: false,
    dpopBound: false,
    idTokenAlgorithm: 'ES256',
    selfRegistered: false,
    jwks: null,
    jwksUri: null,
    backchannelLogoutUri: null,
  }
}

function defined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never
}
