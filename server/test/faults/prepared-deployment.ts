/** A deployment to do harm to: made through the composition root, closed again, with what a child needs to use it. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDeployment } from '../../src/app.ts'
import { SYSTEM } from '../../src/bootstrap.ts'
import { type Config, loadConfig } from '../../src/config.ts'
import { createResource } from '../../src/resources/index.ts'
import type { StorageLocation } from '../../src/storage/index.ts'

export const ROOT_SECRET = 'a root secret that only these tests use'
export const RESOURCE_URI = 'https://faults.example.com'

/** Survives JSON: it is how a child is told what to work on. */
export interface Prepared {
  readonly location: StorageLocation
  readonly tenantId: string
  readonly resourceId: string
  readonly operatorKey: string
}

export function configFor(location: StorageLocation, env: NodeJS.ProcessEnv = {}): Config {
  return loadConfig(environmentFor(location, env))
}

/** What the same configuration is as the environment of a server process. */
export function environmentFor(location: StorageLocation, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return {
    POSTERN_DATA: location.dataDir,
    POSTERN_ROOT_SECRET: ROOT_SECRET,
    POSTERN_LOG_LEVEL: 'silent',
    POSTERN_ADDRESS_RATE: '0',
    POSTERN_SIGN_IN_RATE: '0',
    ...(location.databaseUrl !== undefined && { POSTERN_DATABASE_URL: location.databaseUrl }),
    ...env,
  }
}

export async function prepareDeployment(location: StorageLocation): Promise<Prepared> {
  const deployment = await openDeployment(configFor(location), { setUp: true })
  try {
    const { storage, context, firstKeys } = deployment
    const resource = await storage.write((tx) =>
      createResource(tx, context.changes, SYSTEM, {
        uri: RESOURCE_URI,
        name: 'Faults',
        scopes: [{ name: 'orders:read', description: 'Read orders' }],
      }),
    )
    const { id: tenantId } = await storage
      .read<{ tenants: { id: string; name: string } }>()
      .selectFrom('tenants')
      .select('id')
      .where('name', '=', 'default')
      .executeTakeFirstOrThrow()
    return { location, tenantId, resourceId: resource.id, operatorKey: firstKeys?.operatorKey ?? '' }
  } finally {
    await deployment.close()
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'postern-faults-'))
}
