/** The peppers' table. */
import type { Storage, Transaction } from '../storage/index.ts'

export interface PepperRow {
  version: number
  sealed: string
  state: string
  created_at: number
}

interface Tables {
  peppers: PepperRow
  api_keys: { pepper_version: number; revoked_at: number | null }
}

export async function insertPepper(tx: Transaction, row: PepperRow): Promise<void> {
  await tx.over<Tables>().insertInto('peppers').values(row).execute()
}

export async function selectPeppers(storage: Storage): Promise<PepperRow[]> {
  return storage.read<Tables>().selectFrom('peppers').selectAll().orderBy('version').execute()
}

export async function selectPeppersIn(tx: Transaction): Promise<PepperRow[]> {
  return tx.over<Tables>().selectFrom('peppers').selectAll().orderBy('version').execute()
}

export async function updatePepper(tx: Transaction, version: number, sealed: string): Promise<void> {
  await tx.over<Tables>().updateTable('peppers').set({ sealed }).where('version', '=', version).execute()
}

export async function newestVersion(storage: Storage): Promise<number> {
  const row = await storage
    .read<Tables>()
    .selectFrom('peppers')
    .select(({ fn }) => fn.max('version').as('newest'))
    .executeTakeFirst()
  return row?.newest ?? 0
}

/** How many keys that can still be used stand under each version. */
export async function countKeysByPepper(storage: Storage): Promise<Map<number, number>> {
  const rows = await storage
    .scan<Tables>()
    .selectFrom('api_keys')
    .select(({ fn }) => ['pepper_version', fn.countAll<number>().as('keys')])
    .where('revoked_at', 'is', null)
    .groupBy('pepper_version')
    .execute()
  return new Map(rows.map((row) => [row.pepper_version, Number(row.keys)]))
}
