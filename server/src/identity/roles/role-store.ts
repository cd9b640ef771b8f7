/** The roles' table, and who holds a role. */
import { forUpdate, type Storage, type Transaction } from '../../storage/index.ts'
import type { MembershipTable } from '../membership-store.ts'
import type { Role } from './role.ts'

interface RoleTable {
  name: string
  description: string
  scopes: string
  created_at: number
  updated_at: number
}

interface Tables {
  roles: RoleTable
  memberships: MembershipTable
}

/** Held until COMMIT. */
export async function lockRole(tx: Transaction, name: string): Promise<Role | undefined> {
  const query = tx.over<Tables>().selectFrom('roles').selectAll().where('name', '=', name)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && fromRow(row)
}

export async function countRoles(tx: Transaction): Promise<number> {
  const { count } = await tx
    .over<Tables>()
    .selectFrom('roles')
    .select(({ fn }) => fn.countAll<number | string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function putRole(tx: Transaction, role: Role): Promise<void> {
  const changed = {
    description: role.description,
    scopes: JSON.stringify(role.scopes),
    updated_at: role.updatedAtMs,
  }
  await tx
    .over<Tables>()
    .insertInto('roles')
    .values({ name: role.name, created_at: role.createdAtMs, ...changed })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(changed))
    .execute()
}

export async function deleteRoleRow(tx: Transaction, name: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('roles').where('name', '=', name).execute()
}

/** Those of `names` that are defined; without `names` all, in the order of their names. They are few. */
export async function selectRoles(storage: Storage, names?: readonly string[]): Promise<Role[]> {
  let query = storage.read<Tables>().selectFrom('roles').selectAll().orderBy('name')
  if (names) query = query.where('name', 'in', names.length > 0 ? [...names] : [''])
  return (await query.execute()).map(fromRow)
}

/** Users that hold the role in some tenant, in the order of their ids, above `after`; `last`: where to go on. */
export async function selectHolders(
  tx: Transaction,
  name: string,
  after: string,
  limit: number,
): Promise<{ readonly users: readonly string[]; readonly last: string | undefined }> {
  // A role's name has no quote and no backslash; `_` and `%` in it find more than they should, which costs a look.
  const rows = await tx
    .over<Tables>()
    .selectFrom('memberships')
    .select(['user_id', 'roles'])
    .where('roles', 'like', `%${JSON.stringify(name)}%`)
    .where('user_id', '>', after)
    .orderBy('user_id')
    .limit(limit)
    .execute()
  const holders = rows.filter((row) => (JSON.parse(row.roles) as string[]).includes(name))
  return { users: [...new Set(holders.map((row) => row.user_id))], last: rows.at(-1)?.user_id }
}

function fromRow(row: RoleTable): Role {
  return {
    name: row.name,
    description: row.description,
    scopes: JSON.parse(row.scopes) as Role['scopes'],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}
