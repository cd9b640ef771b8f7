/** Reading users. A caller confined to a tenant sees its members, and of their memberships its own. */
import {
  type Caller,
  decodeCursor,
  DEFAULT_LIMIT,
  invalid,
  notFound,
  type Page,
  type Paged,
  toPage,
} from '../kernel/index.ts'
import type { Storage } from '../storage/index.ts'
import { selectMemberships } from './membership-store.ts'
import { identifierKey } from './user-names.ts'
import { selectUser, selectUsers } from './user-store.ts'
import type { Membership, User } from './user.ts'

/** How many tenants a consent page offers. */
const MOST_CHOICES = 100

/** For modules, which ask on nobody's behalf: see `getUser` for callers. */
export function findUser(storage: Storage, id: string): Promise<User | undefined> {
  return selectUser(storage, id)
}

/** The living, enabled tenants that the user may act for: at most 100, in the order of their ids. */
export async function tenantsOf(storage: Storage, userId: string): Promise<Membership[]> {
  const memberships = await selectMemberships(storage, userId, { limit: MOST_CHOICES })
  return memberships.filter((membership) => !membership.tenantDisabled)
}

/** One membership of a living tenant, whatever their number: for the tenant that somebody chose. */
export async function membershipOf(
  storage: Storage,
  userId: string,
  tenantId: string,
): Promise<Membership | undefined> {
  return (await selectMemberships(storage, userId, { tenantId, limit: 1 }))[0]
}

export async function getUser(storage: Storage, caller: Caller, id: string): Promise<User> {
  const user = await selectUser(storage, id)
  if (!user || !(await reachesUser(storage, caller, id))) throw notFound('user')
  return user
}

export async function listUsers(
  storage: Storage,
  caller: Caller,
  filter: { readonly tenant?: string | undefined; readonly identifier?: string | undefined },
  page: Page,
): Promise<Paged<User>> {
  const identifier = filter.identifier === undefined ? undefined : identifierKey(filter.identifier)
  if (filter.identifier !== undefined && identifier === undefined)
    throw invalid('/identifier', 'This is neither a username nor an e-mail address.')
  // Another tenant's members look like nobody's.
  if (caller.tenant !== null && filter.tenant !== undefined && filter.tenant !== caller.tenant)
    return { data: [], nextCursor: null }
  const limit = page.limit ?? DEFAULT_LIMIT
  const after = decodeCursor('users', 'string', page.cursor)
  const rows = await selectUsers(
    storage,
    { tenantId: caller.tenant ?? filter.tenant, identifier },
    after,
    limit + 1,
  )
  return toPage('users', rows, limit, (user) => user.id)
}

export async function listMemberships(
  storage: Storage,
  caller: Caller,
  userId: string,
  page: Page,
): Promise<Paged<Membership>> {
  await getUser(storage, caller, userId)
  const limit = page.limit ?? DEFAULT_LIMIT
  const rows = await selectMemberships(storage, userId, {
    tenantId: caller.tenant ?? undefined,
    after: decodeCursor('memberships', 'string', page.cursor),
    limit: limit + 1,
  })
  return toPage('memberships', rows, limit, (membership) => membership.tenantId)
}

async function reachesUser(storage: Storage, caller: Caller, userId: string): Promise<boolean> {
  return caller.tenant === null || (await membershipOf(storage, userId, caller.tenant)) !== undefined
}
