/** What roles allow in a resource that grants people only that. */
import type { Storage } from '../../storage/index.ts'
import { selectRoles } from './role-store.ts'

/** The union of what each role allows; a name that is not defined allows nothing. */
export async function scopesOfRoles(
  storage: Storage,
  names: readonly string[],
  resourceId: string,
): Promise<ReadonlySet<string>> {
  const roles = await selectRoles(storage, names)
  return new Set(roles.flatMap(({ scopes }) => scopes[resourceId] ?? []))
}
