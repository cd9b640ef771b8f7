/**
 * Moves signing keys through their life. Every decision is made under one lock in the database, from what it says at
 * that moment: two nodes that find the same rotation due rotate once. Keys are generated before the lock is taken.
 */
import { type Caller, notFound, requireDeployment, systemCaller } from '../kernel/index.ts'
import { type Changes, longestTokenSeconds } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { type FreshKey, generateSigningKey } from './generate-key.ts'
import type { KeySealer } from './key-sealer.ts'
import {
  DEFAULT_ALGORITHM,
  requireAlgorithm,
  retiringEndsAtMs,
  ROTATION,
  type RotationRules,
  type SigningAlgorithm,
  type SigningKey,
  type Step,
  stepsDue,
} from './signing-key.ts'
import {
  findSigningKey,
  insertSigningKey,
  lockSigningKeys,
  saveSigningKey,
  selectAskedAlgorithms,
  selectLivingKeys,
  selectLivingKeysIn,
} from './signing-key-store.ts'

export interface SigningKeyPorts {
  readonly storage: Storage
  readonly changes: Changes
  readonly sealer: KeySealer
  readonly rules?: RotationRules
}

const UPKEEP = systemCaller([])

/**
 * Upkeep's tick: takes every step that is due, for the default algorithm and those that resources ask for. Costs two
 * reads when nothing is. Answers how many steps were taken.
 */
export async function tendSigningKeys(
  ports: SigningKeyPorts,
  also: readonly SigningAlgorithm[] = [],
): Promise<number> {
  const asked = (await selectAskedAlgorithms(ports.storage)).map(requireAlgorithm)
  return takeDueSteps(ports, [DEFAULT_ALGORITHM, ...asked, ...also])
}

/** Makes the first key of an algorithm, if it has none; the default needs no asking. */
export async function ensureSigningKey(ports: SigningKeyPorts, algorithm: SigningAlgorithm): Promise<number> {
  return takeDueSteps(ports, [algorithm])
}

async function takeDueSteps(ports: SigningKeyPorts, wanted: readonly SigningAlgorithm[]): Promise<number> {
  const { storage, changes, rules = ROTATION } = ports
  const known = (await selectLivingKeys(storage)).map(({ key }) => key)
  const due = stepsDue(known, wanted, changes.clock.nowMs(), rules)
  if (due.length === 0) return 0
  const published = due.flatMap((step) => (step.act === 'publish' ? [step.algorithm] : []))
  const fresh = await Promise.all(published.map(generateSigningKey))
  return storage.write(async (tx) => {
    await lockSigningKeys(tx)
    // Again, under the lock: another node may have done it all meanwhile.
    const steps = stepsDue(await selectLivingKeysIn(tx), wanted, changes.clock.nowMs(), rules)
    let taken = 0
    for (const step of steps) taken += await take(tx, ports, UPKEEP, step, fresh)
    return taken
  })
}

/**
 * Rotates by command: the next key is published now and begins to sign as soon as the caches of verifiers have it; one
 * that waits already is brought forward. Answers the key that will sign, or that signs at once when it is the first.
 */
export async function rotateSigningKey(
  ports: SigningKeyPorts,
  caller: Caller,
  algorithmText: string = DEFAULT_ALGORITHM,
): Promise<SigningKey> {
  requireDeployment(caller, 'Rotating a signing key')
  const algorithm = requireAlgorithm(algorithmText)
  const { storage, changes, rules = ROTATION } = ports
  const fresh = await generateSigningKey(algorithm)
  return storage.write(async (tx) => {
    await lockSigningKeys(tx)
    const keys = (await selectLivingKeysIn(tx)).filter((key) => key.algorithm === algorithm)
    const nowMs = changes.clock.nowMs()
    const next = keys.find((key) => key.state === 'next')
    if (next) return bringForward(tx, ports, caller, next, next.createdAtMs + rules.publishAheadMs)
    const isFirst = !keys.some((key) => key.state === 'active')
    return publish(tx, ports, caller, fresh, isFirst ? 'active' : 'next', nowMs + rules.publishAheadMs)
  })
}

/**
 * Ends a key for ever: every token that it signed is refused at the next check, and another one signs at once. A
 * repetition changes nothing.
 */
export async function revokeSigningKey(
  ports: SigningKeyPorts,
  caller: Caller,
  kid: string,
  reason: string | null = null,
): Promise<SigningKey> {
  const revoke = await prepareRevocation(ports, caller, kid)
  return ports.storage.write((tx) => revoke(tx, ports.changes, reason))
}

/** The same in two parts: the key that may have to take its place is generated before anything is locked. */
export async function prepareRevocation(
  ports: SigningKeyPorts,
  caller: Caller,
  kid: string,
): Promise<(tx: Transaction, changes: Changes, reason: string | null) => Promise<SigningKey>> {
  requireDeployment(caller, 'Revoking a signing key')
  const found = await findSigningKey(ports.storage.read(), kid)
  if (!found) throw notFound('signing key')
  const fresh = await generateSigningKey(found.algorithm)
  return async (tx, changes, reason) => {
    await lockSigningKeys(tx)
    const key = (await findSigningKey(tx.over(), kid)) as SigningKey
    if (key.state === 'revoked') return key
    const revoked = await revokeLocked(tx, changes, caller, key, reason)
    if (key.state === 'active') await replaceAtOnce(tx, { ...ports, changes }, caller, fresh)
    return revoked
  }
}

/**
 * Ends every access token that was issued so far, by revoking every key that could have signed one: prepared before
 * anything is locked. Keys that the database does not know, because it lost them, verify nothing in any case.
 */
export async function prepareRevocationOfAll(
  ports: SigningKeyPorts,
): Promise<(tx: Transaction, changes: Changes, reason: string) => Promise<void>> {
  const algorithms = new Set((await selectLivingKeys(ports.storage)).map(({ key }) => key.algorithm))
  const fresh = await Promise.all([...algorithms].map(generateSigningKey))
  return async (tx, changes, reason) => {
    await lockSigningKeys(tx)
    const living = await selectLivingKeysIn(tx)
    for (const key of living) await revokeLocked(tx, changes, UPKEEP, key, reason)
    const nowMs = changes.clock.nowMs()
    for (const key of fresh) await publish(tx, { ...ports, changes }, UPKEEP, key, 'active', nowMs)
  }
}

async function revokeLocked(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  key: SigningKey,
  reason: string | null,
): Promise<SigningKey> {
  const nowMs = changes.clock.nowMs()
  const revoked: SigningKey = { ...key, state: 'revoked', revokedAtMs: nowMs, revokedReason: reason }
  await saveSigningKey(tx, revoked)
  changes.record(tx, caller, {
    action: 'signing_key.revoked',
    tenant: null,
    target: { type: 'signing_key', id: key.kid },
    data: { algorithm: key.algorithm, was: key.state, ...(reason !== null && { reason }) },
    feed: { kind: 'signing_key', key: key.kid, effect: 'revoked', reason },
  })
  return revoked
}

async function replaceAtOnce(
  tx: Transaction,
  ports: SigningKeyPorts,
  caller: Caller,
  fresh: FreshKey,
): Promise<void> {
  const keys = await selectLivingKeysIn(tx)
  const next = keys.find((key) => key.algorithm === fresh.algorithm && key.state === 'next')
  if (next) await activate(tx, ports, caller, next)
  else await publish(tx, ports, caller, fresh, 'active', ports.changes.clock.nowMs())
}

async function take(
  tx: Transaction,
  ports: SigningKeyPorts,
  caller: Caller,
  step: Step,
  fresh: readonly FreshKey[],
): Promise<number> {
  if (step.act === 'activate') await activate(tx, ports, caller, step.key)
  else if (step.act === 'end') await end(tx, ports, caller, step.key)
  else {
    const key = fresh.find((candidate) => candidate.algorithm === step.algorithm)
    // It became due between the two looks: the next tick has a key for it.
    if (!key) return 0
    await publish(tx, ports, caller, key, step.as, step.activatesAtMs)
  }
  return 1
}

async function publish(
  tx: Transaction,
  { changes, sealer }: SigningKeyPorts,
  caller: Caller,
  fresh: FreshKey,
  state: 'next' | 'active',
  activatesAtMs: number,
): Promise<SigningKey> {
  const nowMs = changes.clock.nowMs()
  const key: SigningKey = {
    kid: fresh.kid,
    algorithm: fresh.algorithm,
    state,
    publicJwk: fresh.publicJwk,
    createdAtMs: nowMs,
    activatesAtMs: state === 'active' ? nowMs : activatesAtMs,
    activatedAtMs: state === 'active' ? nowMs : null,
    retiredAtMs: null,
    endsAtMs: null,
    endedAtMs: null,
    revokedAtMs: null,
    revokedReason: null,
  }
  await insertSigningKey(tx, key, sealer.seal(key.kid, fresh.privateDer))
  note(tx, changes, caller, key, state === 'active' ? 'activated' : 'published')
  return key
}

async function bringForward(
  tx: Transaction,
  { changes }: SigningKeyPorts,
  caller: Caller,
  next: SigningKey,
  soonestMs: number,
): Promise<SigningKey> {
  const activatesAtMs = Math.max(changes.clock.nowMs(), soonestMs)
  if (activatesAtMs >= next.activatesAtMs) return next
  const key = { ...next, activatesAtMs }
  await saveSigningKey(tx, key)
  note(tx, changes, caller, key, 'brought_forward')
  return key
}

/** The waiting key begins to sign; the one before it verifies until its last token has expired. */
async function activate(
  tx: Transaction,
  { changes }: SigningKeyPorts,
  caller: Caller,
  next: SigningKey,
): Promise<void> {
  const nowMs = changes.clock.nowMs()
  const before = (await selectLivingKeysIn(tx)).find(
    (key) => key.algorithm === next.algorithm && key.state === 'active',
  )
  if (before) {
    const endsAtMs = retiringEndsAtMs(nowMs, await longestTokenSeconds(tx.over(), nowMs))
    const retiring: SigningKey = { ...before, state: 'retiring', retiredAtMs: nowMs, endsAtMs }
    await saveSigningKey(tx, retiring)
    // Its tokens are as good as before: a row that named it would only make every verifier ask about each again.
    note(tx, changes, caller, retiring, 'retired', false)
  }
  const key: SigningKey = { ...next, state: 'active', activatedAtMs: nowMs }
  await saveSigningKey(tx, key)
  note(tx, changes, caller, key, 'activated')
}

async function end(
  tx: Transaction,
  { changes }: SigningKeyPorts,
  caller: Caller,
  retiring: SigningKey,
): Promise<void> {
  const key: SigningKey = { ...retiring, state: 'gone', endedAtMs: changes.clock.nowMs() }
  await saveSigningKey(tx, key)
  note(tx, changes, caller, key, 'ended')
}

function note(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  { kid, algorithm }: SigningKey,
  happened: string,
  inFeed = true,
): void {
  changes.record(tx, caller, {
    action: `signing_key.${happened}`,
    tenant: null,
    target: { type: 'signing_key', id: kid },
    data: { algorithm },
    feed: inFeed ? { kind: 'signing_key', key: kid, effect: 'changed' } : null,
  })
}
