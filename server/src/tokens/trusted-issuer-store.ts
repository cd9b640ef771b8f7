/** The trusted issuers' table. */
import { type Kysely, type Selectable, sql } from 'kysely'
import type { ResourceTable } from '../resources/index.ts'
import { forUpdate, type Storage, type Transaction } from '../storage/index.ts'
import type { TenantTable } from '../tenants/index.ts'
import type { JwsAlgorithm } from './jws-signature.ts'
import type { ClaimsMap, TrustedIssuer } from './trusted-issuer.ts'

interface IssuerTable {
  id: string
  issuer: string
  name: string
  resource_id: string
  audiences: string
  algorithms: string
  jwks_uri: string | null
  subject_prefix: string
  claims: string
  longest_token_seconds: number
  revoked_before: number | null
  created_at: number
  updated_at: number
  deleted_at: number | null
}

interface Tables {
  trusted_issuers: IssuerTable
  resources: ResourceTable
  tenants: TenantTable
}

/** Rules between agreements (whose prefix, whose audience) are checked one after another. */
export async function lockTrustedIssuers(tx: Transaction): Promise<void> {
  if (tx.dialect === 'postgres') await sql`SELECT pg_advisory_xact_lock(7266840)`.execute(tx.over<Tables>())
}

/** All of living resources; there are few. */
export async function selectTrustedIssuers(db: Kysely<unknown>): Promise<TrustedIssuer[]> {
  const rows = await living(db as Kysely<Tables>)
    .orderBy('i.id')
    .execute()
  return rows.map(fromRow)
}

export async function lockTrustedIssuer(tx: Transaction, id: string): Promise<TrustedIssuer | undefined> {
  const db = tx.over<Tables>()
  await forUpdate(tx, db.selectFrom('trusted_issuers').select('id').where('id', '=', id)).execute()
  const row = await living(db).where('i.id', '=', id).executeTakeFirst()
  return row && fromRow(row)
}

function living(db: Kysely<Tables>) {
  return db
    .selectFrom('trusted_issuers as i')
    .innerJoin('resources as r', 'r.id', 'i.resource_id')
    .selectAll('i')
    .select('r.uri as resource_uri')
    .where('i.deleted_at', 'is', null)
    .where('r.deleted_at', 'is', null)
}

export async function insertTrustedIssuer(tx: Transaction, issuer: TrustedIssuer): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('trusted_issuers')
    .values({ id: issuer.id, ...toRow(issuer), deleted_at: null })
    .execute()
}

export async function saveTrustedIssuer(tx: Transaction, issuer: TrustedIssuer): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('trusted_issuers')
    .set(toRow(issuer))
    .where('id', '=', issuer.id)
    .execute()
}

export async function markTrustedIssuerDeleted(tx: Transaction, id: string, nowMs: number): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('trusted_issuers')
    .set({ deleted_at: nowMs })
    .where('id', '=', id)
    .execute()
}

/** The id of a living tenant by the API team's own id for it. */
export async function findTenantId(storage: Storage, externalId: string): Promise<string | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('tenants')
    .select('id')
    .where('external_id', '=', externalId)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row?.id
}

function toRow(issuer: TrustedIssuer): Omit<IssuerTable, 'id' | 'deleted_at'> {
  return {
    issuer: issuer.issuer,
    name: issuer.name,
    resource_id: issuer.resourceId,
    audiences: JSON.stringify(issuer.audiences),
    algorithms: JSON.stringify(issuer.algorithms),
    jwks_uri: issuer.jwksUri,
    subject_prefix: issuer.subjectPrefix,
    claims: JSON.stringify(issuer.claims),
    longest_token_seconds: issuer.longestTokenSeconds,
    revoked_before: issuer.revokedBefore,
    created_at: issuer.createdAtMs,
    updated_at: issuer.updatedAtMs,
  }
}

function fromRow(row: Selectable<IssuerTable> & { resource_uri: string }): TrustedIssuer {
  return {
    id: row.id,
    issuer: row.issuer,
    name: row.name,
    resourceId: row.resource_id,
    resourceUri: row.resource_uri,
    audiences: JSON.parse(row.audiences) as string[],
    algorithms: JSON.parse(row.algorithms) as JwsAlgorithm[],
    jwksUri: row.jwks_uri,
    subjectPrefix: row.subject_prefix,
    claims: JSON.parse(row.claims) as ClaimsMap,
    longestTokenSeconds: row.longest_token_seconds,
    revokedBefore: row.revoked_before,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}
