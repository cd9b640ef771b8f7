/** Resource ids as people know them. A caller who may not read resources sees the ids. */
import type { Cli } from '../cli.ts'
import { call } from '../transport/api-client.ts'
import type { Page, WireResource } from '../wire.ts'

export type ResourceNames = (id: string) => string

export async function readResourceNames(cli: Cli): Promise<ResourceNames> {
  const names = new Map<string, string>()
  try {
    for (const { id, uri } of await listResources(cli)) names.set(id, uri)
  } catch {
    // The list itself will say what is wrong, if anything is.
  }
  return (id) => names.get(id) ?? id
}

/** The first hundred. */
export async function listResources(cli: Cli): Promise<readonly WireResource[]> {
  return (
    await call<Page<WireResource>>(await cli.client(), 'GET', '/v1/resources', { query: { limit: 100 } })
  ).data
}
