/** The clients' table. */
import type { Kysely } from 'kysely'
import { forUpdate, ParsedRows, preparedRead, type Storage, type Transaction } from '../storage/index.ts'
import type { Client, ClientKind, ClientSecret, ClientSettings } from './client.ts'

export interface ClientTable {
  id: string
  tenant_id: string | null
  kind: string
  name: string
  settings: string
  secrets: string
  rsn: number
  created_at: number
  created_by: string
  updated_at: number
  disabled_at: number | null
  deleted_at: number | null
}

interface Tables {
  oauth_clients: ClientTable
}

export async function insertClient(tx: Transaction, client: Client): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('oauth_clients')
    .values({
      ...toRow(client),
      id: client.id,
      tenant_id: client.tenantId,
      kind: client.kind,
      rsn: client.rsn,
      created_at: client.createdAtMs,
      created_by: client.createdBy,
      deleted_at: null,
    })
    .execute()
}

export async function saveClient(tx: Transaction, client: Client): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('oauth_clients')
    .set(toRow(client))
    .where('id', '=', client.id)
    .execute()
}

export async function markClientDeleted(tx: Transaction, id: string, nowMs: number): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('oauth_clients')
    .set({ deleted_at: nowMs, secrets: '[]' })
    .where('id', '=', id)
    .execute()
}

/** A living client, locked until COMMIT. */
export async function lockClient(tx: Transaction, id: string): Promise<Client | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('oauth_clients')
    .selectAll()
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && fromRow(row)
}

/** A living client, from the primary. */
export async function findClient(storage: Storage, id: string): Promise<Client | undefined> {
  const row = await selectLiving(storage.read(), id)
  return row && parsed.of(row)
}

const selectLiving = preparedRead([''], (db: Kysely<Tables>, id: string) =>
  db.selectFrom('oauth_clients').selectAll().where('id', '=', id).where('deleted_at', 'is', null),
)

/** Each request asks the database for the row; what it means is worked out again only when it is another one. */
const parsed = new ParsedRows(fromRow)

export interface ClientFilter {
  readonly tenant?: string | undefined
  readonly kind?: string | undefined
}

/** Living clients in the order of their ids, above `after`. */
export async function selectClients(
  storage: Storage,
  filter: ClientFilter,
  after: string | undefined,
  limit: number,
): Promise<Client[]> {
  let query = storage
    .scan<Tables>()
    .selectFrom('oauth_clients')
    .selectAll()
    .where('deleted_at', 'is', null)
    .orderBy('id')
    .limit(limit)
  if (filter.tenant !== undefined) query = query.where('tenant_id', '=', filter.tenant)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(fromRow)
}

function toRow(
  client: Client,
): Pick<ClientTable, 'name' | 'settings' | 'secrets' | 'updated_at' | 'disabled_at'> {
  const settings: ClientSettings = {
    grantTypes: client.grantTypes,
    authMethod: client.authMethod,
    redirectUris: client.redirectUris,
    postLogoutRedirectUris: client.postLogoutRedirectUris,
    corsOrigins: client.corsOrigins,
    resources: client.resources,
    introspects: client.introspects,
    firstParty: client.firstParty,
    dpopBound: client.dpopBound,
    idTokenAlgorithm: client.idTokenAlgorithm,
    selfRegistered: client.selfRegistered,
    jwks: client.jwks,
    jwksUri: client.jwksUri,
    backchannelLogoutUri: client.backchannelLogoutUri,
  }
  return {
    name: client.name,
    settings: JSON.stringify(settings),
    secrets: JSON.stringify(client.secrets),
    updated_at: client.updatedAtMs,
    disabled_at: client.disabledAtMs,
  }
}

/** As stored: clients from before these could be chosen do not have them. */
type Later = 'idTokenAlgorithm' | 'selfRegistered'
type Settings = Omit<ClientSettings, Later> & Partial<Pick<ClientSettings, Later>>

function fromRow(row: ClientTable): Client {
  const settings = JSON.parse(row.settings) as Settings
  return {
    ...settings,
    idTokenAlgorithm: settings.idTokenAlgorithm ?? 'ES256',
    selfRegistered: settings.selfRegistered ?? false,
    id: row.id,
    tenantId: row.tenant_id,
    kind: row.kind as ClientKind,
    name: row.name,
    secrets: JSON.parse(row.secrets) as ClientSecret[],
    rsn: row.rsn,
    createdAtMs: row.created_at,
    createdBy: row.created_by,
    updatedAtMs: row.updated_at,
    disabledAtMs: row.disabled_at,
  }
}
