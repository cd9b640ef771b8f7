/** The tables of plans and of what has limits. */
import { sql } from 'kysely'
import type { Storage, Transaction } from '../storage/index.ts'
import { forShare, forUpdate } from '../storage/index.ts'
import type { Limit } from './limit.ts'
import type { LimitTarget, TargetKind } from './limit-target.ts'
import type { Plan } from './plan.ts'

interface PlanTable {
  id: string
  name: string
  limits: string
  created_at: number
  updated_at: number
}

interface TargetTable {
  kind: string
  target: string
  counts_as: string
  tenant_id: string | null
  resource_id: string | null
  plan_id: string | null
  limits: string
  rsn: number
  created_at: number
  updated_at: number
}

interface Tables {
  plans: PlanTable
  limit_targets: TargetTable
}

export async function insertPlan(tx: Transaction, plan: Plan): Promise<void> {
  await tx.over<Tables>().insertInto('plans').values(planRow(plan)).execute()
}

export async function savePlan(tx: Transaction, plan: Plan): Promise<void> {
  const { id, created_at: _, ...rest } = planRow(plan)
  await tx.over<Tables>().updateTable('plans').set(rest).where('id', '=', id).execute()
}

export async function deletePlanRow(tx: Transaction, id: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('plans').where('id', '=', id).execute()
}

/** Kept from being changed (`update`) or from disappearing (`share`) until COMMIT. */
export async function lockPlan(
  tx: Transaction,
  idOrName: string,
  how: 'share' | 'update',
): Promise<Plan | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('plans')
    .selectAll()
    .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
  const row = await (how === 'share' ? forShare(tx, query) : forUpdate(tx, query)).executeTakeFirst()
  return row && planFromRow(row)
}

export async function findPlan(storage: Storage, idOrName: string): Promise<Plan | undefined> {
  const row = await storage
    .read<Tables>()
    .selectFrom('plans')
    .selectAll()
    .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
    .executeTakeFirst()
  return row && planFromRow(row)
}

export async function selectPlans(
  storage: Storage,
  after: string | undefined,
  limit: number,
): Promise<Plan[]> {
  let query = storage.scan<Tables>().selectFrom('plans').selectAll().orderBy('id').limit(limit)
  if (after !== undefined) query = query.where('id', '>', after)
  return (await query.execute()).map(planFromRow)
}

export async function hasTargets(tx: Transaction, planId: string): Promise<boolean> {
  const row = await tx
    .over<Tables>()
    .selectFrom('limit_targets')
    .select('target')
    .where('plan_id', '=', planId)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** Whether anything in the deployment has a plan or limits. */
export async function hasAnyTarget(storage: Storage): Promise<boolean> {
  const row = await storage
    .read<Tables>()
    .selectFrom('limit_targets')
    .select('target')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

export async function lockTarget(
  tx: Transaction,
  kind: TargetKind,
  target: string,
): Promise<LimitTarget | undefined> {
  const query = tx
    .over<Tables>()
    .selectFrom('limit_targets')
    .selectAll()
    .where('kind', '=', kind)
    .where('target', '=', target)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && targetFromRow(row)
}

export async function putTarget(tx: Transaction, target: LimitTarget): Promise<void> {
  const row: TargetTable = {
    kind: target.kind,
    target: target.target,
    counts_as: target.countsAs,
    tenant_id: target.tenantId,
    resource_id: target.resourceId,
    plan_id: target.planId,
    limits: JSON.stringify(target.limits),
    rsn: target.rsn,
    created_at: target.createdAtMs,
    updated_at: target.updatedAtMs,
  }
  const { plan_id, limits, updated_at } = row
  await tx
    .over<Tables>()
    .insertInto('limit_targets')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['kind', 'target']).doUpdateSet({ plan_id, limits, updated_at }),
    )
    .execute()
}

export async function deleteTarget(tx: Transaction, kind: TargetKind, target: string): Promise<void> {
  await tx
    .over<Tables>()
    .deleteFrom('limit_targets')
    .where('kind', '=', kind)
    .where('target', '=', target)
    .execute()
}

/** By its name in the primary key, with its plan: one point read. */
export async function findTargets(
  storage: Storage,
  targets: readonly (readonly [TargetKind, string])[],
): Promise<{ readonly target: LimitTarget; readonly plan: Plan | undefined }[]> {
  const rows = await storage
    .read<Tables>()
    .selectFrom('limit_targets as l')
    .leftJoin('plans as p', 'p.id', 'l.plan_id')
    .selectAll('l')
    .select([
      'p.name as p_name',
      'p.limits as p_limits',
      'p.created_at as p_created_at',
      'p.updated_at as p_updated_at',
    ])
    .where((where) =>
      where.or(
        targets.map(([kind, target]) =>
          where.and([where('l.kind', '=', kind), where('l.target', '=', target)]),
        ),
      ),
    )
    .execute()
  return rows.map((row) => ({
    target: targetFromRow(row),
    plan:
      row.plan_id === null || row.p_name === null
        ? undefined
        : planFromRow({
            id: row.plan_id,
            name: row.p_name,
            limits: row.p_limits as string,
            created_at: row.p_created_at as number,
            updated_at: row.p_updated_at as number,
          }),
  }))
}

export interface TargetFilter {
  readonly kind?: TargetKind | undefined
  readonly planId?: string | undefined
  /** What a caller reaches; undefined: all. */
  readonly tenantId?: string | undefined
  readonly resourceIds?: readonly string[] | undefined
}

/** In the order of their names (kind:target), above `after`. */
export async function selectTargets(
  storage: Storage,
  filter: TargetFilter,
  after: string | undefined,
  limit: number,
): Promise<LimitTarget[]> {
  const { kind, planId, tenantId, resourceIds } = filter
  let query = storage.scan<Tables>().selectFrom('limit_targets').selectAll().orderBy('kind').orderBy('target')
  if (kind !== undefined) query = query.where('kind', '=', kind)
  if (planId !== undefined) query = query.where('plan_id', '=', planId)
  if (tenantId !== undefined) query = query.where('tenant_id', '=', tenantId)
  if (resourceIds !== undefined)
    query = query.where((where) =>
      where.or([where('resource_id', 'is', null), where('resource_id', 'in', [...resourceIds, ''])]),
    )
  if (after !== undefined) {
    const colon = after.indexOf(':')
    const [fromKind, fromTarget] = [after.slice(0, colon), after.slice(colon + 1)]
    query = query.where((where) =>
      where.or([
        where('kind', '>', fromKind),
        where.and([where('kind', '=', fromKind), where('target', '>', fromTarget)]),
      ]),
    )
  }
  return (await query.limit(limit).execute()).map(targetFromRow)
}

/** Removes what belongs to deleted tenants and resources, at most `limit` rows. */
export async function deleteOfDeletedParents(tx: Transaction, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM limit_targets WHERE (kind, target) IN (
      SELECT l.kind, l.target FROM limit_targets l
      LEFT JOIN tenants t ON t.id = l.tenant_id LEFT JOIN resources r ON r.id = l.resource_id
      WHERE t.deleted_at IS NOT NULL OR r.deleted_at IS NOT NULL LIMIT ${sql.lit(limit)})`.execute(
    tx.over<Tables>(),
  )
  return Number(numAffectedRows ?? 0n)
}

function planRow(plan: Plan): PlanTable {
  return {
    id: plan.id,
    name: plan.name,
    limits: JSON.stringify(plan.limits),
    created_at: plan.createdAtMs,
    updated_at: plan.updatedAtMs,
  }
}

function planFromRow(row: PlanTable): Plan {
  return {
    id: row.id,
    name: row.name,
    limits: JSON.parse(row.limits) as Limit[],
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}

function targetFromRow(row: TargetTable): LimitTarget {
  return {
    kind: row.kind as TargetKind,
    target: row.target,
    countsAs: row.counts_as,
    tenantId: row.tenant_id,
    resourceId: row.resource_id,
    planId: row.plan_id,
    limits: JSON.parse(row.limits) as Limit[],
    rsn: row.rsn,
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}
