/**
 * Signing in with a password. Whoever is refused learns nothing from it: an unknown user, a wrong password, a user
 * without a password and a disabled one have one answer and cost one hash.
 */
import { createHash } from 'node:crypto'
import { type ChangeMaker, coarseNetwork, limitNetwork, newId } from '../kernel/index.ts'
import { readFeedHead } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { endSession } from './end-session.ts'
import type { IdentityContext } from './identity-context.ts'
import { normalizePassword } from './password-rules.ts'
import { hashOf, newSessionSecret } from './session-secret.ts'
import { insertSession, lockBySecret, saveRenewed, selectSurplus } from './session-store.ts'
import { ABSOLUTE_MS, ACR_ONE_FACTOR, MOST_SESSIONS, type Session } from './session.ts'
import { identifierKey } from './user-names.ts'
import { lockPassword, saveRehash, selectByIdentifier } from './user-store.ts'
import type { User } from './user.ts'

export interface SignInInput {
  /** A username or an e-mail address, as it was typed. */
  readonly identifier: string
  readonly password: string
  readonly ip: string
  readonly userAgent?: string | undefined
  /** The value of the session cookie that came along: that session does not outlive the sign-in as it was. */
  readonly previous?: string | undefined
}

export type SignInOutcome =
  | {
      readonly signedIn: true
      readonly session: Session
      readonly user: User
      /** For the cookie, and nowhere else. */
      readonly cookieValue: string
    }
  | { readonly signedIn: false; readonly refusal: SignInRefusal; readonly retryAfterSeconds?: number }

export type SignInRefusal = 'wrong' | 'throttled'

/** Throws `too_many_requests` when too many passwords are being checked at this moment. */
export async function signIn(identity: IdentityContext, input: SignInInput): Promise<SignInOutcome> {
  const { storage, hasher } = identity
  // The position first: a sign-out everywhere that commits from here on ends the session that this makes.
  const { seq: rsn } = await readFeedHead(storage.read())
  const identifier = identifierKey(input.identifier)

  const retryAfterSeconds = throttled(identity, input, identifier?.key)
  if (retryAfterSeconds > 0) {
    note(identity, input, 'throttled')
    return { signedIn: false, refusal: 'throttled', retryAfterSeconds }
  }

  const found = identifier && (await selectByIdentifier(storage, identifier))
  const password = normalizePassword(input.password)
  const matches = await hasher.matches(password ?? '', password === undefined ? null : found?.passwordHash)
  const passwordHash = found?.passwordHash
  if (!matches || !found || typeof passwordHash !== 'string' || found.user.disabledAtMs !== null) {
    note(identity, input, found ? (matches ? 'disabled' : 'wrong_password') : 'unknown_user', found?.user.id)
    return { signedIn: false, refusal: 'wrong' }
  }

  const rehashed =
    password !== undefined && hasher.isOutdated(passwordHash) ? await hasher.hash(password) : undefined
  const opened = await storage.write((tx) =>
    openSession(tx, identity, { ...input, rsn, user: found.user, passwordHash, rehashed }),
  )
  if (!opened) {
    note(identity, input, 'changed_meanwhile', found.user.id)
    return { signedIn: false, refusal: 'wrong' }
  }
  note(identity, input, 'signed_in', found.user.id)
  return { signedIn: true, user: found.user, ...opened }
}

/**
 * By account and network, so that a stranger's guesses hold up nobody but that stranger's network; and by network, so
 * that one password is not tried on all accounts. An account that does not exist has its bucket like any other.
 */
function throttled({ throttles }: IdentityContext, input: SignInInput, key: string | undefined): number {
  const network = limitNetwork(input.ip)
  const byNetwork = throttles.network.take(network)
  if (byNetwork > 0) return byNetwork
  const account = createHash('sha256')
    .update(key ?? input.identifier)
    .digest('base64url')
  return throttles.account.take(`${account} ${network}`)
}

interface Proven extends SignInInput {
  readonly rsn: number
  readonly user: User
  /** The one that matched. */
  readonly passwordHash: string
  readonly rehashed: string | undefined
}

/** Undefined when the user was disabled, deleted or given another password while this one was being checked. */
async function openSession(
  tx: Transaction,
  { changes }: IdentityContext,
  proven: Proven,
): Promise<{ session: Session; cookieValue: string } | undefined> {
  const { user, rsn, previous, passwordHash, rehashed } = proven
  const nowMs = changes.clock.nowMs()
  const before = previous === undefined ? undefined : await lockBySecret(tx, hashOf(previous), nowMs)
  const current = await lockPassword(tx, user.id)
  if (!current || current.disabled || current.passwordHash !== passwordHash) return undefined
  if (rehashed !== undefined) await saveRehash(tx, user.id, passwordHash, rehashed)

  const network = coarseNetwork(proven.ip)
  const secret = newSessionSecret()
  const by: ChangeMaker = { type: 'user', id: user.id, network }
  const fresh = {
    userId: user.id,
    rsn,
    authTimeMs: nowMs,
    acr: ACR_ONE_FACTOR,
    amr: ['pwd'],
    expiresAtMs: nowMs + ABSOLUTE_MS,
    lastUsedAtMs: nowMs,
    lastUsedNetwork: network,
    userAgent: printable(proven.userAgent),
  }
  // The same person proves it again: what descends from the session lives on, but the value that anybody may have
  // planted or read in this browser is worth nothing from here on.
  if (before?.userId === user.id) {
    const session: Session = { ...before, ...fresh }
    await saveRenewed(tx, session, secret.hash)
    return { session, cookieValue: secret.value }
  }
  if (before) await endSession(tx, changes, by, { id: before.id, reason: 'another user signed in' })
  for (const id of await selectSurplus(tx, user.id, MOST_SESSIONS - 1, nowMs))
    await endSession(tx, changes, by, { id, reason: 'too many sessions' })
  const session: Session = {
    ...fresh,
    id: newId('ses', changes.clock),
    createdAtMs: nowMs,
    createdNetwork: network,
  }
  await insertSession(tx, session, secret.hash)
  return { session, cookieValue: secret.value }
}

/** Sign-ins and refusals are counted in the activity log, never written into the audit chain (decision 006). */
function note({ activity }: IdentityContext, { ip }: SignInInput, code: string, userId?: string): void {
  activity.record({
    kind: 'sign_in',
    code,
    route: '/sign-in',
    network: coarseNetwork(ip),
    credential: userId,
  })
}

function printable(userAgent: string | undefined): string {
  return (userAgent ?? '').replace(/[^\x20-\x7E]/g, '').slice(0, 200)
}
