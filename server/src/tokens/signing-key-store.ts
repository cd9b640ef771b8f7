/** The signing keys' table. */
import { type Kysely, sql } from 'kysely'
import type { Storage, Transaction } from '../storage/index.ts'
import type { PublicJwk, SigningAlgorithm, SigningKey, SigningKeyState } from './signing-key.ts'

export interface SigningKeyTable {
  kid: string
  algorithm: string
  state: string
  public_jwk: string
  sealed_private: string | null
  created_at: number
  activates_at: number
  activated_at: number | null
  retired_at: number | null
  ends_at: number | null
  ended_at: number | null
  revoked_at: number | null
  revoked_reason: string | null
}

interface Tables {
  signing_keys: SigningKeyTable
  resources: { token_algorithm: string; deleted_at: number | null }
}

const LIVING: readonly SigningKeyState[] = ['next', 'active', 'retiring']

/** Decisions about keys are made one after another, whichever node makes them. SQLite's writer sees to that itself. */
export async function lockSigningKeys(tx: Transaction): Promise<void> {
  if (tx.dialect === 'postgres') await sql`SELECT pg_advisory_xact_lock(7266839)`.execute(tx.over<Tables>())
}

export interface StoredSigningKey {
  readonly key: SigningKey
  readonly sealedPrivate: string | null
}

/** Keys that verify: next, active and retiring, the oldest first. */
export async function selectLivingKeys(storage: Storage): Promise<StoredSigningKey[]> {
  return livingKeys(storage.read<Tables>())
}

export async function selectLivingKeysIn(tx: Transaction): Promise<SigningKey[]> {
  return (await livingKeys(tx.over<Tables>())).map(({ key }) => key)
}

async function livingKeys(db: Kysely<Tables>): Promise<StoredSigningKey[]> {
  const rows = await db
    .selectFrom('signing_keys')
    .selectAll()
    .where('state', 'in', LIVING)
    .orderBy('created_at')
    .orderBy('kid')
    .execute()
  return rows.map((row) => ({ key: fromRow(row), sealedPrivate: row.sealed_private }))
}

/** The newest first; ended and revoked ones among them. */
export async function selectAllKeys(storage: Storage, limit: number): Promise<SigningKey[]> {
  const rows = await storage
    .scan<Tables>()
    .selectFrom('signing_keys')
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('kid')
    .limit(limit)
    .execute()
  return rows.map(fromRow)
}

export async function findSigningKey(db: Kysely<unknown>, kid: string): Promise<SigningKey | undefined> {
  const row = await (db as Kysely<Tables>)
    .selectFrom('signing_keys')
    .selectAll()
    .where('kid', '=', kid)
    .executeTakeFirst()
  return row && fromRow(row)
}

export async function insertSigningKey(
  tx: Transaction,
  key: SigningKey,
  sealedPrivate: string,
): Promise<void> {
  await tx
    .over<Tables>()
    .insertInto('signing_keys')
    .values({ kid: key.kid, ...toRow(key), sealed_private: sealedPrivate })
    .execute()
}

/** Writes a key's new state; what no longer signs and no longer verifies loses its private part. */
export async function saveSigningKey(tx: Transaction, key: SigningKey): Promise<void> {
  const erased = LIVING.includes(key.state) ? {} : { sealed_private: null }
  await tx
    .over<Tables>()
    .updateTable('signing_keys')
    .set({ ...toRow(key), ...erased })
    .where('kid', '=', key.kid)
    .execute()
}

/** What living resources ask their tokens to be signed with. */
export async function selectAskedAlgorithms(storage: Storage): Promise<string[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('resources')
    .select('token_algorithm')
    .distinct()
    .where('deleted_at', 'is', null)
    .execute()
  return rows.map((row) => row.token_algorithm)
}

export async function selectSealed(tx: Transaction): Promise<{ kid: string; sealed: string }[]> {
  const rows = await tx
    .over<Tables>()
    .selectFrom('signing_keys')
    .select(['kid', 'sealed_private'])
    .where('sealed_private', 'is not', null)
    .execute()
  return rows.map((row) => ({ kid: row.kid, sealed: row.sealed_private as string }))
}

export async function updateSealed(tx: Transaction, kid: string, sealed: string): Promise<void> {
  await tx
    .over<Tables>()
    .updateTable('signing_keys')
    .set({ sealed_private: sealed })
    .where('kid', '=', kid)
    .execute()
}

function fromRow(row: SigningKeyTable): SigningKey {
  return {
    kid: row.kid,
    algorithm: row.algorithm as SigningAlgorithm,
    state: row.state as SigningKeyState,
    publicJwk: JSON.parse(row.public_jwk) as PublicJwk,
    createdAtMs: row.created_at,
    activatesAtMs: row.activates_at,
    activatedAtMs: row.activated_at,
    retiredAtMs: row.retired_at,
    endsAtMs: row.ends_at,
    endedAtMs: row.ended_at,
    revokedAtMs: row.revoked_at,
    revokedReason: row.revoked_reason,
  }
}

function toRow(key: SigningKey): Omit<SigningKeyTable, 'kid' | 'sealed_private'> {
  return {
    algorithm: key.algorithm,
    state: key.state,
    public_jwk: JSON.stringify(key.publicJwk),
    created_at: key.createdAtMs,
    activates_at: key.activatesAtMs,
    activated_at: key.activatedAtMs,
    retired_at: key.retiredAtMs,
    ends_at: key.endsAtMs,
    ended_at: key.endedAtMs,
    revoked_at: key.revokedAtMs,
    revoked_reason: key.revokedReason,
  }
}
