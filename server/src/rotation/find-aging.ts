/** Everything that is due to be rotated, by kind, as far as the caller reaches. */
import { listClients } from '../clients/index.ts'
import { type Caller, DEPLOYMENT_TENANT, MANAGEMENT_SCOPES, systemCaller } from '../kernel/index.ts'
import { reachedResources, type Resource } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import { ROTATION, selectLivingKeys } from '../tokens/index.ts'
import { listEndpoints } from '../webhooks/index.ts'
import { type AgeRule, ageOf, type Aging, type CredentialKind } from './aging.ts'
import { selectAgingKeys } from './store.ts'

export interface AgingPorts {
  readonly storage: Storage
  /** Null: as old as they like. */
  readonly webhookSecretMaxAgeMs: number | null
}

const PAGE = 100
const NOTICE_MS = 14 * 86_400_000
const SYSTEM = systemCaller(MANAGEMENT_SCOPES.map(({ name }) => name))

/** One kind after the other, each in the order of ids. Keys are read in pages: there may be many. */
export async function* findAging(
  ports: AgingPorts,
  caller: Caller,
  kinds: readonly CredentialKind[],
  nowMs: number,
): AsyncGenerator<Aging, void, undefined> {
  for (const kind of kinds) yield* FINDERS[kind](ports, caller, nowMs)
}

type Finder = (ports: AgingPorts, caller: Caller, nowMs: number) => AsyncGenerator<Aging, void, undefined>

const FINDERS: Readonly<Record<CredentialKind, Finder>> = {
  api_key: (ports, caller, nowMs) => keys(ports, caller, nowMs, false),
  operator_key: (ports, caller, nowMs) => keys(ports, caller, nowMs, true),
  client_secret: clientSecrets,
  webhook_secret: webhookSecrets,
  signing_key: signingKeys,
}

async function* keys(
  { storage }: AgingPorts,
  { tenant, resources }: Caller,
  nowMs: number,
  operators: boolean,
): AsyncGenerator<Aging, void, undefined> {
  const filter = {
    operators,
    ...(tenant !== null && { tenantId: tenant }),
    ...(resources !== null && { resourceIds: resources }),
  }
  for (let after: string | undefined; ;) {
    const page = await selectAgingKeys(storage, filter, { nowMs, after, limit: PAGE })
    for (const row of page) {
      const rule = ruleOf(row.maxAgeSeconds, row.noticeSeconds)
      const age = ageOf(row, rule, nowMs)
      if (!age) continue
      yield {
        kind: operators ? 'operator_key' : 'api_key',
        id: row.id,
        holder: row.owner,
        tenant: row.tenantId === DEPLOYMENT_TENANT ? null : row.tenantId,
        resource: operators ? null : row.resourceUri,
        createdAtMs: row.createdAtMs,
        expiresAtMs: row.expiresAtMs,
        ...age,
      }
    }
    after = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}

/** Of each client the newest secret: the others are being replaced. The strictest of its APIs counts. */
async function* clientSecrets(
  { storage }: AgingPorts,
  caller: Caller,
  nowMs: number,
): AsyncGenerator<Aging, void, undefined> {
  // Clients are not divided by API.
  if (caller.resources !== null) return
  const rules = new Map((await reachedResources(storage, SYSTEM)).map((one) => [one.id, one]))
  for await (const client of pagesOf((cursor) => listClients(storage, caller, {}, { cursor, limit: PAGE }))) {
    const secret = newest(client.secrets)
    if (!secret || client.disabledAtMs !== null) continue
    const rule = strictest(client.resources.flatMap(({ resourceId }) => rules.get(resourceId) ?? []))
    const age = ageOf(secret, rule, nowMs)
    if (age)
      yield {
        kind: 'client_secret',
        id: secret.id,
        holder: client.id,
        tenant: client.tenantId,
        resource: null,
        createdAtMs: secret.createdAtMs,
        expiresAtMs: secret.expiresAtMs,
        ...age,
      }
  }
}

async function* webhookSecrets(
  { storage, webhookSecretMaxAgeMs }: AgingPorts,
  caller: Caller,
  nowMs: number,
): AsyncGenerator<Aging, void, undefined> {
  if (caller.resources !== null) return
  const rule = { maxAgeMs: webhookSecretMaxAgeMs, noticeMs: NOTICE_MS }
  for await (const endpoint of pagesOf((cursor) => listEndpoints(storage, caller, { cursor, limit: PAGE }))) {
    const secret = newest(endpoint.secrets)
    const age = secret && endpoint.disabledAtMs === null ? ageOf(secret, rule, nowMs) : undefined
    if (secret && age)
      yield {
        kind: 'webhook_secret',
        id: secret.id,
        holder: endpoint.id,
        tenant: endpoint.tenantId,
        resource: null,
        createdAtMs: secret.createdAtMs,
        expiresAtMs: secret.expiresAtMs,
        ...age,
      }
  }
}

/** They rotate by themselves: one that is overdue says that nothing tends them. */
async function* signingKeys(
  { storage }: AgingPorts,
  caller: Caller,
  nowMs: number,
): AsyncGenerator<Aging, void, undefined> {
  if (caller.tenant !== null || caller.resources !== null) return
  for (const { key } of await selectLivingKeys(storage)) {
    if (key.state !== 'active') continue
    const createdAtMs = key.activatedAtMs ?? key.createdAtMs
    const rule = { maxAgeMs: ROTATION.rotateEveryMs + ROTATION.publishAheadMs, noticeMs: 0 }
    const age = ageOf({ createdAtMs, expiresAtMs: null }, rule, nowMs)
    if (age)
      yield {
        kind: 'signing_key',
        id: key.kid,
        holder: key.algorithm,
        tenant: null,
        resource: null,
        createdAtMs,
        expiresAtMs: null,
        ...age,
      }
  }
}

function ruleOf(maxAgeSeconds: number | null, noticeSeconds: number): AgeRule {
  return {
    maxAgeMs: maxAgeSeconds === null ? null : maxAgeSeconds * 1000,
    noticeMs: noticeSeconds * 1000,
  }
}

function strictest(resources: readonly Resource[]): AgeRule {
  const rules = resources.map((one) => ruleOf(one.keyMaxAgeSeconds, one.rotationNoticeSeconds))
  const ages = rules.flatMap(({ maxAgeMs }) => maxAgeMs ?? [])
  return {
    maxAgeMs: ages.length > 0 ? Math.min(...ages) : null,
    noticeMs: rules.length > 0 ? Math.max(...rules.map(({ noticeMs }) => noticeMs)) : NOTICE_MS,
  }
}

function newest<T extends { readonly createdAtMs: number }>(secrets: readonly T[]): T | undefined {
  return secrets.reduce<T | undefined>(
    (best, one) => (best && best.createdAtMs > one.createdAtMs ? best : one),
    undefined,
  )
}

async function* pagesOf<T>(
  read: (cursor: string | undefined) => Promise<{ data: T[]; nextCursor: string | null }>,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | undefined
  do {
    const page = await read(cursor)
    yield* page.data
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
}
