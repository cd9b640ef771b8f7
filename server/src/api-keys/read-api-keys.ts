/** Reading keys, as far as the caller reaches: one, a list, the state of a rotation. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  MANAGEMENT_RESOURCE,
  notFound,
  type Page,
  type Paged,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { ApiKey } from './api-key.ts'
import { reaches } from './change-api-keys.ts'
import { type KeyFilter, type NetworkRow, selectKeys, selectNetworks } from './list-store.ts'
import { findKeyById } from './store.ts'

export async function getApiKey(storage: Storage, caller: Caller, id: string): Promise<ApiKey> {
  const key = await findKeyById(storage, id)
  if (!key || key.resourceId === MANAGEMENT_RESOURCE || !reaches(caller, key)) throw notFound('API key')
  return key
}

export async function listApiKeys(
  storage: Storage,
  caller: Caller,
  filter: KeyFilter,
  page: Page,
  nowMs: number,
): Promise<Paged<ApiKey>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('keys', 'string', page.cursor)
  const rows = await selectKeys(storage, confined(caller, filter), { after, limit: limit + 1, nowMs })
  return toPage('keys', rows, limit, (key) => key.id)
}

/** The filter within what the caller reaches; a foreign tenant in it finds nothing. */
export function confined(caller: Caller, filter: KeyFilter): KeyFilter {
  const foreign = caller.tenant !== null && filter.tenantId !== undefined && filter.tenantId !== caller.tenant
  return {
    ...filter,
    ...(caller.tenant === null ? {} : { tenantId: caller.tenant }),
    ...(caller.resources === null ? {} : { resourceIds: caller.resources }),
    ...(foreign ? { ids: [] } : {}),
  }
}

export interface RotationState {
  readonly old: ApiKey
  readonly successor: ApiKey
  /** Uses of the old key since it was rotated, by network, latest first. */
  readonly networksSince: readonly NetworkRow[]
}

/** "Is the old one still in use, and from where?" Asked with either key of the rotation. */
export async function getRotation(storage: Storage, caller: Caller, id: string): Promise<RotationState> {
  const asked = await getApiKey(storage, caller, id)
  const old =
    asked.rotatedTo === null && asked.rotatedFrom !== null
      ? await getApiKey(storage, caller, asked.rotatedFrom)
      : asked
  if (old.rotatedTo === null || old.rotatedAtMs === null) throw notFound('rotation of this key')
  const successor = await getApiKey(storage, caller, old.rotatedTo)
  const rotatedAtMs = old.rotatedAtMs
  const networks = await selectNetworks(storage, old.id)
  return { old, successor, networksSince: networks.filter((network) => network.last_seen > rotatedAtMs) }
}

export async function getNetworks(storage: Storage, caller: Caller, id: string): Promise<NetworkRow[]> {
  return selectNetworks(storage, (await getApiKey(storage, caller, id)).id)
}
