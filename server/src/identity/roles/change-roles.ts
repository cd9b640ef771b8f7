/**
 * Roles: a deployment operator's work. A role that loses a scope ends the sessions and tokens of those who hold it in
 * any tenant, because a token carries its scopes and is believed without asking; gaining one ends nothing.
 */
import {
  type Caller,
  invalid,
  isScope,
  missingScopes,
  notFound,
  PosternError,
  reachesResource,
  requireDeployment,
} from '../../kernel/index.ts'
import { getResource } from '../../resources/index.ts'
import type { Changes } from '../../revocation/index.ts'
import type { Storage, Transaction } from '../../storage/index.ts'
import { countRoles, deleteRoleRow, lockRole, putRole, selectHolders } from './role-store.ts'
import type { Role } from './role.ts'

const MOST_ROLES = 200
const MOST_RESOURCES = 50
/** Users whose tokens end in one transaction. */
const BATCH = 1_000

export type RoleInput = Pick<Role, 'name' | 'description' | 'scopes'>

/** The scopes by the id of their resource, of what a caller wrote by id or URI. */
export async function roleScopes(
  storage: Storage,
  caller: Caller,
  written: Readonly<Record<string, readonly string[]>>,
): Promise<Role['scopes']> {
  const entries = Object.entries(written)
  if (entries.length > MOST_RESOURCES)
    throw invalid('/scopes', `A role has scopes of at most ${MOST_RESOURCES} resources.`)
  const scopes: Record<string, readonly string[]> = {}
  for (const [idOrUri, names] of entries) {
    const resource = await getResource(storage, caller, idOrUri)
    const known = resource.scopes.map(({ name }) => name)
    const unknown = missingScopes(known, names)
    if (unknown.length > 0) throw invalid('/scopes', `${resource.uri} has no scope ${unknown.join(' ')}.`)
    if (names.length > 0) scopes[resource.id] = [...new Set(names)]
  }
  return scopes
}

/** Makes or changes it. Answers whether it lost a scope: then `endHolders` comes next. */
export async function setRole(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  { name, description, scopes }: RoleInput,
): Promise<{ readonly role: Role; readonly lost: boolean }> {
  requireDeployment(caller, 'Changing a role')
  if (!isScope(name) || name.length > 100)
    throw invalid('/name', 'At most 100 characters of printable ASCII without space, quote and backslash.')
  const before = await lockRole(tx, name)
  if (!before && (await countRoles(tx)) >= MOST_ROLES)
    throw new PosternError('conflict', `At most ${MOST_ROLES} roles can be made.`)
  requireReach(caller, { ...before?.scopes, ...scopes })
  const nowMs = changes.clock.nowMs()
  const role = { name, description, scopes, createdAtMs: before?.createdAtMs ?? nowMs, updatedAtMs: nowMs }
  await putRole(tx, role)
  const lost = before !== undefined && loses(before.scopes, scopes)
  changes.record(tx, caller, {
    action: before ? 'role.updated' : 'role.created',
    tenant: null,
    target: { type: 'role', id: name },
    data: { scopes },
    feed: null,
  })
  return { role, lost }
}

/** Memberships keep its name, which then allows nothing. `endHolders` comes next. */
export async function deleteRole(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  name: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a role')
  const before = await lockRole(tx, name)
  if (!before) throw notFound('role')
  requireReach(caller, before.scopes)
  await deleteRoleRow(tx, name)
  changes.record(tx, caller, {
    action: 'role.deleted',
    tenant: null,
    target: { type: 'role', id: name },
    feed: null,
  })
}

/** Ends the sessions and tokens of all who hold it. Whatever is issued meanwhile has the role as it is now. */
export async function endHolders(
  storage: Storage,
  changes: Changes,
  caller: Caller,
  name: string,
): Promise<void> {
  let after: string | undefined = ''
  while (after !== undefined) {
    const from: string = after
    after = await storage.write(async (tx) => {
      const { users, last } = await selectHolders(tx, name, from, BATCH)
      for (const id of users)
        changes.record(tx, caller, {
          action: 'user.signed_out',
          tenant: null,
          target: { type: 'user', id },
          data: { role: name },
          feed: { kind: 'subject', key: id, effect: 'revoked', reason: 'a role lost scopes' },
        })
      return last
    })
  }
}

function loses(before: Role['scopes'], after: Role['scopes']): boolean {
  return Object.entries(before).some(([id, scopes]) => missingScopes(after[id] ?? [], scopes).length > 0)
}

/** Whoever is confined to some resources neither gives nor takes scopes of others. */
function requireReach(caller: Caller, scopes: Role['scopes']): void {
  if (!Object.keys(scopes).every((id) => reachesResource(caller, id)))
    throw new PosternError('forbidden', 'The role has scopes of a resource that you are not let at.')
}
