/** Reading resources, as far as the caller reaches. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  MANAGEMENT_RESOURCE,
  notFound,
  type Page,
  type Paged,
  reachesResource,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import type { Resource } from './resource.ts'
import { findResource, selectResources } from './store.ts'

const PAGE = 500

/** By id or URI. */
export async function getResource(storage: Storage, caller: Caller, idOrUri: string): Promise<Resource> {
  const resource = await findResource(storage, idOrUri)
  if (!resource || resource.id === MANAGEMENT_RESOURCE || !reachesResource(caller, resource.id))
    throw notFound('resource')
  return resource
}

export async function listResources(storage: Storage, caller: Caller, page: Page): Promise<Paged<Resource>> {
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('resources', 'string', page.cursor)
  const rows = await selectResources(storage, caller.resources, after, limit + 1)
  return toPage('resources', rows, limit, (resource) => resource.id)
}

/** All that the caller reaches: for a verifier, which has to know which APIs it answers for. Resources are few. */
export async function reachedResources(storage: Storage, caller: Caller): Promise<Resource[]> {
  const found: Resource[] = []
  for (let after: string | undefined; ; after = found.at(-1)?.id) {
    const page = await selectResources(storage, caller.resources, after, PAGE)
    found.push(...page)
    if (page.length < PAGE) return found
  }
}
