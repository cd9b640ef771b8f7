/** The filter of lists and bulk work: one set of members in a query string and in a body. */
import { Type, type Static } from 'typebox'
import { Name, parseTime, Rfc3339, ScopeName } from '../http/index.ts'
import type { Caller } from '../kernel/index.ts'
import { getResource } from '../resources/index.ts'
import type { Storage } from '../storage/index.ts'
import { KEY_STATUSES } from './api-key.ts'
import type { KeyFilter } from './list-store.ts'

const Text = Type.String({ maxLength: 500, pattern: '^[^\\u0000]*$' })

export const FilterMembers = {
  tenant: Type.Optional(Text),
  owner: Type.Optional(Text),
  resource: Type.Optional(Type.String({ maxLength: 500, description: 'Its URI or id.' })),
  scope: Type.Optional(ScopeName),
  environment: Type.Optional(Type.Enum(['live', 'test'])),
  name: Type.Optional(Name),
  status: Type.Optional(Type.Enum([...KEY_STATUSES])),
  last_used_before: Type.Optional(
    Type.Unsafe<string>({ ...Rfc3339, description: 'Never used counts as well.' }),
  ),
  expiring_before: Type.Optional(Rfc3339),
  created_before: Type.Optional(Rfc3339),
  due_before: Type.Optional(
    Type.Unsafe<string>({ ...Rfc3339, description: 'Reaching the greatest age that their API allows.' }),
  ),
}

export const BulkFilter = Type.Object({
  ...FilterMembers,
  ids: Type.Optional(Type.Array(Type.String({ maxLength: 40 }), { minItems: 1, maxItems: 1_000 })),
})

/** A resource that is not there, or that the caller does not reach, is `not_found`. */
export async function readFilter(
  storage: Storage,
  caller: Caller,
  filter: Static<typeof BulkFilter>,
): Promise<KeyFilter> {
  return {
    tenantId: filter.tenant,
    owner: filter.owner,
    resourceId:
      filter.resource === undefined ? undefined : (await getResource(storage, caller, filter.resource)).id,
    scope: filter.scope,
    environment: filter.environment,
    name: filter.name,
    status: filter.status,
    lastUsedBeforeMs: parseTime('/last_used_before', filter.last_used_before),
    expiringBeforeMs: parseTime('/expiring_before', filter.expiring_before),
    createdBeforeMs: parseTime('/created_before', filter.created_before),
    dueBeforeMs: parseTime('/due_before', filter.due_before),
    ids: filter.ids,
  }
}
