/** For tests: one node of a deployment with everything that tokens need, on a database that other nodes may share. */
import { type FirstKeys, bootstrap } from '../../src/bootstrap.ts'
import { Peppers } from '../../src/api-keys/index.ts'
import { type Clock, MANAGEMENT_SCOPES, systemCaller, systemClock } from '../../src/kernel/index.ts'
import { createResource, type Resource } from '../../src/resources/index.ts'
import { Changes, FeedPublisher, FeedReader } from '../../src/revocation/index.ts'
import { migrate, openStorage, type Storage } from '../../src/storage/index.ts'
import { createTenant, type Tenant } from '../../src/tenants/index.ts'
import type { TestDatabase } from '../databases.ts'
import { tendSigningKeys, type SigningKeyPorts } from '../../src/tokens/change-signing-keys.ts'
import { KeySealer } from '../../src/tokens/key-sealer.ts'
import type { TokenPorts } from '../../src/tokens/present-token.ts'
import type { RotationRules } from '../../src/tokens/signing-key.ts'
import { SigningKeys } from '../../src/tokens/signing-keys.ts'
import { TrustedIssuers } from '../../src/tokens/trusted-issuers.ts'

export const ROOT_SECRET = 'a root secret that is long enough for a test'
export const ISSUER = 'https://auth.example.com'
export const SYSTEM = systemCaller(MANAGEMENT_SCOPES.map((scope) => scope.name))

/** A clock that a test moves. */
export class TestClock implements Clock {
  #aheadMs = 0
  nowMs(): number {
    return systemClock.nowMs() + this.#aheadMs
  }
  monotonicMs(): number {
    return systemClock.monotonicMs() + this.#aheadMs
  }
  advance(ms: number): void {
    this.#aheadMs += ms
  }
}

export interface TestNode {
  readonly clock: TestClock
  readonly storage: Storage
  readonly changes: Changes
  readonly feed: FeedReader
  readonly signingKeys: SigningKeys
  readonly trustedIssuers: TrustedIssuers
  readonly keyPorts: SigningKeyPorts
  readonly tokenPorts: TokenPorts & { readonly alarms: { kid: string | null; rsn: number; head: number }[] }
  readonly failures: unknown[]
  readonly firstKeys: FirstKeys | undefined
  tend(): Promise<number>
  addResource(uri: string, more?: Partial<Resource>): Promise<Resource>
  addTenant(name: string, externalId?: string): Promise<Tenant>
  close(): Promise<void>
}

export async function startNode(
  database: TestDatabase,
  { clock = new TestClock(), rules }: { clock?: TestClock; rules?: RotationRules } = {},
): Promise<TestNode> {
  const storage = await openStorage(database.location, clock)
  await migrate(storage, clock.nowMs())
  const feed = new FeedReader(storage, clock)
  const changes = new Changes(clock, new FeedPublisher(clock, () => feed.catchUp()))
  const peppers = new Peppers(ROOT_SECRET)
  const firstKeys = await bootstrap(storage, { changes, peppers }, ROOT_SECRET, false)
  const keyPorts = { storage, changes, sealer: new KeySealer(ROOT_SECRET), ...(rules && { rules }) }
  await tendSigningKeys(keyPorts)
  await feed.start()
  const failures: unknown[] = []
  const signingKeys = new SigningKeys(storage, ROOT_SECRET, clock)
  const trustedIssuers = new TrustedIssuers({
    storage,
    clock,
    guard: { allowLoopback: true },
    onFailure: (_, error) => failures.push(error),
  })
  await signingKeys.load()
  await trustedIssuers.load()
  const stops = [signingKeys.follow(feed), trustedIssuers.follow(feed)]
  // Everything of a node lets the process end; a test waits for it.
  const alive = setInterval(() => {}, 1_000)
  const alarms: { kid: string | null; rsn: number; head: number }[] = []
  const tokenPorts = {
    storage,
    clock,
    signingKeys,
    trustedIssuers,
    issuer: ISSUER,
    alarms,
    storedClaims: async () => undefined,
    onPositionAhead: (seen: { kid: string | null; rsn: number; head: number }) => alarms.push(seen),
  }
  return {
    clock,
    storage,
    changes,
    feed,
    signingKeys,
    trustedIssuers,
    keyPorts,
    tokenPorts,
    failures,
    firstKeys,
    async tend() {
      const steps = await tendSigningKeys(keyPorts)
      await signingKeys.refresh()
      return steps
    },
    addResource: (uri, more = {}) =>
      storage.write((tx) =>
        createResource(tx, changes, SYSTEM, {
          uri,
          name: uri,
          scopes: ['read', 'write'].map((name) => ({ name, description: name })),
          ...more,
        }),
      ),
    addTenant: (name, externalId) =>
      storage.write((tx) =>
        createTenant(tx, changes, SYSTEM, {
          name,
          ...(externalId !== undefined && { externalId }),
        }),
      ),
    async close() {
      clearInterval(alive)
      for (const stop of stops) stop()
      await feed.stop()
      await storage.close()
    },
  }
}

/** Waits until something that another node does on its own has happened; at most five seconds. */
export async function until(happened: () => boolean): Promise<void> {
  for (let tries = 0; !happened(); tries++) {
    if (tries === 250) throw new Error('It did not happen within five seconds.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
