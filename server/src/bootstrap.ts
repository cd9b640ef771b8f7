/**
 * The first start: one locked transaction makes the deployment, so that two first starts at once make one. Whoever made
 * it holds the only copy of its keys.
 */
import { type Kysely, sql } from 'kysely'
import { createOperator, issueApiKey, type KeyContext } from './api-keys/index.ts'
import { createChain } from './audit/index.ts'
import {
  type Caller,
  type Clock,
  DEPLOYMENT_TENANT,
  MANAGEMENT_RESOURCE,
  MANAGEMENT_SCOPES,
  MANAGEMENT_URI,
  systemCaller,
} from './kernel/index.ts'
import { createResource, DEFAULTS, insertResource, MANAGEMENT_PREFIX } from './resources/index.ts'
import { createFeed, newEpoch } from './revocation/index.ts'
import { rootCheck } from './root-secret.ts'
import type { Storage, Transaction } from './storage/index.ts'
import { createTenant, DEFAULT_TENANT_NAME, insertTenant } from './tenants/index.ts'

interface Tables {
  deployment: { id: number; created_at: number; root_check: string; bootstrapped_at: number | null }
}

export interface FirstKeys {
  readonly operatorKey: string
  /** With demo data only. */
  readonly demo: { readonly key: string; readonly resource: string } | undefined
}

export const DEMO_RESOURCE = 'https://api.example.com'
const DEMO_SCOPES = [
  { name: 'orders:read', description: 'Read orders' },
  { name: 'orders:write', description: 'Create and change orders' },
  { name: 'orders:refund', description: 'Refund orders' },
]

export const SYSTEM: Caller = systemCaller(MANAGEMENT_SCOPES.map((scope) => scope.name))

/** The first keys when this call made the deployment; undefined when it was there. Throws for a wrong root secret. */
export async function bootstrap(
  storage: Storage,
  context: KeyContext,
  rootSecret: string,
  withDemo: boolean,
): Promise<FirstKeys | undefined> {
  const { clock } = context.changes
  if (await isBootstrapped(storage.read<Tables>(), rootSecret)) return undefined
  return storage.write(async (tx) => {
    const db = tx.over<Tables>()
    if (tx.dialect === 'postgres') await sql`SELECT pg_advisory_xact_lock(7266838)`.execute(db)
    if (await isBootstrapped(db, rootSecret)) return undefined
    const nowMs = clock.nowMs()
    await db
      .insertInto('deployment')
      .values({ id: 1, created_at: nowMs, root_check: rootCheck(rootSecret), bootstrapped_at: nowMs })
      .execute()
    await createChain(tx)
    await createFeed(tx, newEpoch(), nowMs)
    await context.peppers.createFirst(tx, nowMs)
    await createManagement(tx, clock)
    const tenant = await createTenant(tx, context.changes, SYSTEM, { name: DEFAULT_TENANT_NAME })
    const operator = await createOperator(tx, context, SYSTEM, {
      name: 'first operator',
      tenant: null,
      scopes: SYSTEM.scopes,
    })
    return {
      operatorKey: operator.key,
      demo: withDemo ? { key: await createDemo(tx, context, tenant.id), resource: DEMO_RESOURCE } : undefined,
    }
  })
}

/** Throws unless the database holds a deployment that was made with this root secret. */
export async function requireBootstrapped(storage: Storage, rootSecret: string): Promise<void> {
  if (!(await isBootstrapped(storage.read<Tables>(), rootSecret)))
    throw new Error('There is no deployment here yet. Start the server once (npm start) to make it.')
}

/** What tells this deployment's database from another's that the same data folder was used with. */
export async function deploymentName(storage: Storage): Promise<string> {
  const row = await storage
    .read<Tables>()
    .selectFrom('deployment')
    .select('created_at')
    .where('id', '=', 1)
    .executeTakeFirstOrThrow()
  return String(row.created_at)
}

/** The tenant of deployment operators and the management API as a resource: neither is in any list. */
async function createManagement(tx: Transaction, clock: Clock): Promise<void> {
  const nowMs = clock.nowMs()
  const born = { createdAtMs: nowMs, updatedAtMs: nowMs }
  await insertTenant(tx, {
    id: DEPLOYMENT_TENANT,
    name: 'deployment',
    externalId: null,
    metadata: {},
    disabledAtMs: null,
    ...born,
  })
  await insertResource(tx, {
    ...DEFAULTS,
    id: MANAGEMENT_RESOURCE,
    uri: MANAGEMENT_URI,
    name: 'Postern management',
    scopes: MANAGEMENT_SCOPES,
    keyPrefix: MANAGEMENT_PREFIX,
    ...born,
  })
}

async function createDemo(tx: Transaction, context: KeyContext, tenantId: string): Promise<string> {
  const resource = await createResource(tx, context.changes, SYSTEM, {
    uri: DEMO_RESOURCE,
    name: 'Example API',
    scopes: DEMO_SCOPES,
  })
  const { key } = await issueApiKey(tx, context, SYSTEM, {
    tenantId,
    resourceId: resource.id,
    owner: 'demo',
    name: 'demo key',
    scopes: ['orders:read', 'orders:write'],
  })
  return key
}

async function isBootstrapped(db: Kysely<Tables>, rootSecret: string): Promise<boolean> {
  const row = await db.selectFrom('deployment').select('root_check').where('id', '=', 1).executeTakeFirst()
  if (!row) return false
  if (row.root_check !== rootCheck(rootSecret))
    throw new Error(
      'The root secret is not the one this database was made with. Set POSTERN_ROOT_SECRET (or restore data/root-secret) to the original.',
    )
  return true
}

/** Puts the check of another root secret in the place of the first one's. Throws when `oldSecret` is not the one in use. */
export async function replaceRootCheck(tx: Transaction, oldSecret: string, newSecret: string): Promise<void> {
  const db = tx.over<Tables>()
  if (!(await isBootstrapped(db, oldSecret))) throw new Error('There is no deployment in this database yet.')
  await db
    .updateTable('deployment')
    .set({ root_check: rootCheck(newSecret) })
    .where('id', '=', 1)
    .execute()
}
