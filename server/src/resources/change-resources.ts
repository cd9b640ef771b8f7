/** Creating, changing and deleting resources: a deployment operator's work. */
import {
  ACCESS_TOKEN_PREFIX,
  type Caller,
  invalid,
  isScope,
  MANAGEMENT_RESOURCE,
  newId,
  notFound,
  PosternError,
  reachesResource,
  requireDeployment,
} from '../kernel/index.ts'
import { type Changes, noteTokenLifetime } from '../revocation/index.ts'
import { type Transaction, UniqueViolation } from '../storage/index.ts'
import { DEFAULTS, MANAGEMENT_PREFIX, type Resource } from './resource.ts'
import { insertResource, lockResource, markResourceDeleted, saveResource } from './store.ts'

type Settings = Omit<Resource, 'id' | 'uri' | 'createdAtMs' | 'updatedAtMs'>
type Loose<T> = { [K in keyof T]?: T[K] | undefined }

export type ResourceInput = Loose<Settings> & Pick<Resource, 'uri' | 'name' | 'scopes'>
export type ResourcePatch = Loose<Settings>

export async function createResource(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  input: ResourceInput,
): Promise<Resource> {
  requireDeployment(caller, 'Creating a resource')
  if (caller.resources !== null)
    throw new PosternError('forbidden', 'You are confined to some resources and cannot create another.')
  checkUri(input.uri)
  const nowMs = changes.clock.nowMs()
  const resource: Resource = {
    ...DEFAULTS,
    ...defined(input),
    id: newId('res', changes.clock),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  }
  checkSettings(resource)
  try {
    await insertResource(tx, resource)
  } catch (error) {
    if (error instanceof UniqueViolation) throw new PosternError('conflict', 'Another resource has this uri.')
    throw error
  }
  await noteTokenLifetime(tx, resource.id, resource.tokenLifetimeSeconds, nowMs)
  changes.record(tx, caller, {
    action: 'resource.created',
    tenant: null,
    target: { type: 'resource', id: resource.id },
    data: { uri: resource.uri, key_lifetime_seconds: resource.keyLifetimeSeconds },
    feed: null,
  })
  return resource
}

/** A scope that is taken away stops counting for the keys that hold it; it counts again when it is put back. */
export async function updateResource(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
  patch: ResourcePatch,
): Promise<Resource> {
  requireDeployment(caller, 'Changing a resource')
  const before = await livingResource(tx, caller, id)
  const nowMs = changes.clock.nowMs()
  const resource: Resource = { ...before, ...defined(patch), updatedAtMs: nowMs }
  checkSettings(resource)
  await saveResource(tx, resource)
  if (resource.tokenLifetimeSeconds !== before.tokenLifetimeSeconds)
    await noteTokenLifetime(tx, id, resource.tokenLifetimeSeconds, nowMs)
  changes.record(tx, caller, {
    action: 'resource.updated',
    tenant: null,
    target: { type: 'resource', id },
    data: { changed: Object.keys(defined(patch)), key_lifetime_seconds: resource.keyLifetimeSeconds },
    feed: { kind: 'resource', key: id, effect: 'changed' },
  })
  return resource
}

/** A tombstone, a floor and one feed row: its keys are dead at once and purged later. */
export async function deleteResource(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  id: string,
): Promise<void> {
  requireDeployment(caller, 'Deleting a resource')
  const { uri } = await livingResource(tx, caller, id)
  const nowMs = changes.clock.nowMs()
  await markResourceDeleted(tx, id, nowMs)
  await noteTokenLifetime(tx, id, null, nowMs)
  changes.record(tx, caller, {
    action: 'resource.deleted',
    tenant: null,
    target: { type: 'resource', id },
    data: { uri },
    feed: { kind: 'resource', key: id, effect: 'deleted' },
  })
}

async function livingResource(tx: Transaction, caller: Caller, id: string): Promise<Resource> {
  const reached = id !== MANAGEMENT_RESOURCE && reachesResource(caller, id)
  const resource = reached ? await lockResource(tx, id, 'update') : undefined
  if (!resource) throw notFound('resource')
  return resource
}

/** RFC 8707, section 2: an absolute URI without a fragment. */
function checkUri(uri: string): void {
  if (!URL.canParse(uri) || uri.includes('#') || /\s/.test(uri))
    throw invalid('/uri', 'The uri must be absolute and without a fragment, like https://api.example.com.')
  // RFC 8141, section 3.1: the scheme and the namespace of a URN are the same in capitals.
  if (/^urn:postern:/i.test(uri)) throw invalid('/uri', 'URIs that start with urn:postern: are reserved.')
  if (uri.startsWith('res_')) throw invalid('/uri', 'The uri may not look like an id.')
}

function checkSettings(resource: Resource): void {
  if (resource.keyPrefix === MANAGEMENT_PREFIX)
    throw invalid('/key_prefix', `The prefix "${MANAGEMENT_PREFIX}" is kept for the management API.`)
  if (resource.keyPrefix === ACCESS_TOKEN_PREFIX)
    throw invalid('/key_prefix', `The prefix "${ACCESS_TOKEN_PREFIX}" is kept for access tokens.`)
  const names = resource.scopes.map((scope) => scope.name)
  const faulty = names.find((name) => !isScope(name))
  if (faulty !== undefined)
    throw invalid('/scopes', 'A scope name is printable ASCII without spaces, " and \\.')
  if (new Set(names).size !== names.length) throw invalid('/scopes', 'Two scopes have the same name.')
}

function defined<T extends object>(input: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as never
}
