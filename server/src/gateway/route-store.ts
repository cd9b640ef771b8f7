/** The routes' table. */
import type { Kysely } from 'kysely'
import { forUpdate, type Transaction } from '../storage/index.ts'
import { type GatewayRoute, MOST_ROUTES, type RouteRules } from './route.ts'

interface RouteRow {
  id: string
  position: number
  rules: string
  created_at: number
  updated_at: number
}

interface Tables {
  gateway_routes: RouteRow
}

/** All of them, in the order in which they are tried. */
export async function selectRoutes(db: Kysely<unknown>): Promise<GatewayRoute[]> {
  const rows = await (db as Kysely<Tables>)
    .selectFrom('gateway_routes')
    .selectAll()
    .orderBy('position')
    .orderBy('id')
    .limit(MOST_ROUTES)
    .execute()
  return rows.map(fromRow)
}

/** How many there are, and the highest position. */
export async function measureRoutes(tx: Transaction): Promise<{ count: number; last: number }> {
  const row = await tx
    .over<Tables>()
    .selectFrom('gateway_routes')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('position').as('last')])
    .executeTakeFirstOrThrow()
  return { count: Number(row.count), last: Number(row.last ?? 0) }
}

export async function lockRoute(tx: Transaction, id: string): Promise<GatewayRoute | undefined> {
  const query = tx.over<Tables>().selectFrom('gateway_routes').selectAll().where('id', '=', id)
  const row = await forUpdate(tx, query).executeTakeFirst()
  return row && fromRow(row)
}

export async function insertRoute(tx: Transaction, route: GatewayRoute): Promise<void> {
  await tx.over<Tables>().insertInto('gateway_routes').values(toRow(route)).execute()
}

export async function saveRoute(tx: Transaction, route: GatewayRoute): Promise<void> {
  const { id, ...rest } = toRow(route)
  await tx.over<Tables>().updateTable('gateway_routes').set(rest).where('id', '=', id).execute()
}

export async function deleteRouteRow(tx: Transaction, id: string): Promise<void> {
  await tx.over<Tables>().deleteFrom('gateway_routes').where('id', '=', id).execute()
}

function toRow({ id, position, createdAtMs, updatedAtMs, ...rules }: GatewayRoute): RouteRow {
  return {
    id,
    position,
    rules: JSON.stringify(rules satisfies RouteRules),
    created_at: createdAtMs,
    updated_at: updatedAtMs,
  }
}

function fromRow(row: RouteRow): GatewayRoute {
  return {
    id: row.id,
    position: row.position,
    ...(JSON.parse(row.rules) as RouteRules),
    createdAtMs: row.created_at,
    updatedAtMs: row.updated_at,
  }
}
