/** Creating, changing and deleting routes: a deployment operator's work. Every process hears of it through the feed. */
import { type Caller, newId, notFound, PosternError, requireDeployment } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { checkRoute, type GatewayRoute, MOST_ROUTES, ROUTE_DEFAULTS, type RouteRules } from './route.ts'
import { deleteRouteRow, insertRoute, lockRoute, measureRoutes, saveRoute } from './route-store.ts'

type Loose<T> = { [K in keyof T]?: T[K] | undefined }

export type RoutePatch = Loose<RouteRules & Pick<GatewayRoute, 'position'>>
export type RouteInput = RoutePatch & Pick<RouteRules, 'host'>

/** Room between two, so that another fits there later. */
const STEP = 10

export async function createRoute(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: RouteInput,
): Promise<GatewayRoute> {
  requireDeployment(caller, 'Creating a gateway route')
  const { count, last } = await measureRoutes(tx)
  if (count >= MOST_ROUTES)
    throw new PosternError('conflict', `There are ${MOST_ROUTES} routes; no more fit.`)
  const nowMs = changes.clock.nowMs()
  const route: GatewayRoute = {
    position: last + STEP,
    ...ROUTE_DEFAULTS,
    ...defined(input),
    id: newId('rte', changes.clock),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  checkRoute(route)
  await insertRoute(tx, route)
  record(tx, changes, caller, 'gateway_route.created', route)
  return route
}

export async function updateRoute(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: RoutePatch,
): Promise<GatewayRoute> {
  requireDeployment(caller, 'Changing a gateway route')
  const before = await lockRoute(tx, id)
  if (!before) throw notFound('gateway route')
  const route: GatewayRoute = { ...before, ...defined(patch), updatedAtMs: changes.clock.nowMs() }
  checkRoute(route)
  await saveRoute(tx, route)
  record(tx, changes, caller, 'gateway_route.updated', route)
  return route
}

export async function deleteRoute(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a gateway route')
  const route = await lockRoute(tx, id)
  if (!route) throw notFound('gateway route')
  await deleteRouteRow(tx, id)
  record(tx, changes, caller, 'gateway_route.deleted', route)
}

function record(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  action: string,
  route: GatewayRoute,
): void {
  const { id, createdAtMs: _made, updatedAtMs: _changed, ...rules } = route
  changes.record(tx, caller, {
    action,
    tenant: null,
    target: { type: 'gateway_route', id },
    data: { ...rules },
    feed: { kind: 'gateway', key: 'routes', effect: 'changed' },
  })
}

function defined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never
}
