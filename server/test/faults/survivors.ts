/** What a database must hold after a crash: everything acknowledged, every change whole or absent, the chain whole. */
import { verifyChain } from '../../src/audit/index.ts'
import { systemClock } from '../../src/kernel/index.ts'
import { openStorage, type Storage, type StorageLocation } from '../../src/storage/index.ts'

interface Tables {
  api_keys: { id: string; resource_id: string; revoked_at: number | null }
  feed_rows: { seq: number; kind: string; key: string; effect: string }
  audit_events: { seq: number; action: string; target_id: string }
}

/** Opens the database as a restarted server would; answers what is wrong, as sentences. Empty: nothing was lost. */
export async function faultsAfterCrash(
  location: StorageLocation,
  resourceId: string,
  acknowledged: readonly string[],
): Promise<string[]> {
  const storage = await openStorage(location, systemClock)
  try {
    return [...(await brokenChain(storage)), ...missing(acknowledged, await survivors(storage, resourceId))]
  } finally {
    await storage.close()
  }
}

interface Survivors {
  readonly issued: Set<string>
  readonly revoked: Set<string>
  readonly inFeed: string[]
  readonly audited: string[]
}

async function survivors(storage: Storage, resourceId: string): Promise<Survivors> {
  const db = storage.scan<Tables>()
  const all = await db.selectFrom('api_keys').select(['id', 'resource_id', 'revoked_at']).execute()
  const keys = all.filter((key) => key.resource_id === resourceId)
  const others = new Set(all.filter((key) => key.resource_id !== resourceId).map((key) => key.id))
  const rows = await db.selectFrom('feed_rows').select('key').where('kind', '=', 'api_key').execute()
  const events = await db
    .selectFrom('audit_events')
    .select(['action', 'target_id'])
    .where('action', 'in', ['api_key.issued', 'api_key.revoked'])
    .execute()
  return {
    issued: new Set(keys.map((key) => key.id)),
    revoked: new Set(keys.filter((key) => key.revoked_at !== null).map((key) => key.id)),
    inFeed: rows.map((row) => row.key),
    audited: events
      .filter((event) => !others.has(event.target_id))
      .map((event) => `${event.action} ${event.target_id}`),
  }
}

async function brokenChain(storage: Storage): Promise<string[]> {
  const { ok, brokenAt } = await verifyChain(storage)
  return ok ? [] : [`the audit chain breaks at ${brokenAt?.seq}: ${brokenAt?.reason}`]
}

function missing(acknowledged: readonly string[], { issued, revoked, inFeed, audited }: Survivors): string[] {
  const faults: string[] = []
  for (const line of acknowledged) {
    const [what, id = ''] = line.split(' ')
    if (what === 'issued' && !issued.has(id)) faults.push(`acknowledged but lost: ${line}`)
    if (what === 'revoked' && !revoked.has(id)) faults.push(`acknowledged but lost: ${line}`)
  }
  const changes = [
    ...[...issued].map((id) => `api_key.issued ${id}`),
    ...[...revoked].map((id) => `api_key.revoked ${id}`),
  ]
  faults.push(...differences('the audit chain', changes, audited))
  faults.push(...differences('the feed', [...revoked], inFeed))
  return faults
}

/** Each change exactly once: half a transaction, or one that ran twice, shows here. */
function differences(where: string, changes: readonly string[], found: readonly string[]): string[] {
  const expected = new Set(changes)
  const seen = new Set(found)
  return [
    ...changes.filter((change) => !seen.has(change)).map((change) => `not in ${where}: ${change}`),
    ...found.filter((change) => !expected.has(change)).map((change) => `only in ${where}: ${change}`),
    ...(seen.size < found.length ? [`twice in ${where}: ${found.length - seen.size} changes`] : []),
  ]
}
