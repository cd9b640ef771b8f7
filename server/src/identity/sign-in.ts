/**
 * Signing in with a password. Whoever is refused learns nothing from it: an unknown user, a wrong password, a user
 * without a password and a disabled one have one answer and cost one hash.
 */
import { readFeedHead } from '../revocation/index.ts'
import type { Transaction } from '../storage/index.ts'
import { ACR_PASSWORD } from './acr.ts'
import { afterFirstFactor } from './first-factor.ts'
import type { IdentityContext } from './identity-context.ts'
import type { OpenedSession, Visit } from './open-session.ts'
import { normalizePassword } from './password-rules.ts'
import { noteSignIn, type SignInOutcome, throttled, WRONG } from './sign-in-outcome.ts'
import { identifierKey } from './user-names.ts'
import { lockPassword, saveRehash, selectByIdentifier } from './user-store.ts'

export interface SignInInput extends Visit {
  /** A username or an e-mail address, as it was typed. */
  readonly identifier: string
  readonly password: string
  /** What binds the browser (see `BrowserForms`): a second factor is taken from it alone. */
  readonly binding: string
}

/** Throws `too_many_requests` when too many passwords are being checked at this moment. */
export async function signIn(identity: IdentityContext, input: SignInInput): Promise<SignInOutcome> {
  const { storage, hasher } = identity
  const { ip } = input
  // The position first: a sign-out everywhere that commits from here on ends the session that this makes.
  const { seq: rsn } = await readFeedHead(storage.read())
  const identifier = identifierKey(input.identifier)

  const retryAfterSeconds = throttled(identity, ip, identifier?.key ?? input.identifier)
  if (retryAfterSeconds > 0) {
    noteSignIn(identity, ip, 'throttled')
    return { signedIn: false, refusal: 'throttled', retryAfterSeconds }
  }

  const found = identifier && (await selectByIdentifier(storage, identifier))
  const password = normalizePassword(input.password)
  const matches = await hasher.matches(password ?? '', password === undefined ? null : found?.passwordHash)
  const passwordHash = found?.passwordHash
  if (!matches || !found || typeof passwordHash !== 'string' || found.user.disabledAtMs !== null) {
    const code = found ? (matches ? 'disabled' : 'wrong_password') : 'unknown_user'
    noteSignIn(identity, ip, code, found?.user.id)
    return WRONG
  }

  const { user } = found
  const rehashed =
    password !== undefined && hasher.isOutdated(passwordHash) ? await hasher.hash(password) : undefined
  const opened = await storage.write((tx) =>
    withPassword(tx, identity, { ...input, rsn, userId: user.id, passwordHash, rehashed }),
  )
  if (!opened) {
    noteSignIn(identity, ip, 'changed_meanwhile', user.id)
    return WRONG
  }
  if ('ticket' in opened) return { signedIn: false, refusal: 'second_factor', ticket: opened.ticket }
  noteSignIn(identity, ip, 'signed_in', user.id)
  return { signedIn: true, user, ...opened }
}

interface Matched extends SignInInput {
  readonly rsn: number
  readonly userId: string
  readonly passwordHash: string
  readonly rehashed: string | undefined
}

/** Undefined when the user was disabled, deleted or given another password while this one was being checked. */
async function withPassword(
  tx: Transaction,
  identity: IdentityContext,
  { rsn, userId, passwordHash, rehashed, ...visit }: Matched,
): Promise<OpenedSession | { readonly ticket: string } | undefined> {
  const current = await lockPassword(tx, userId)
  if (!current || current.disabled || current.passwordHash !== passwordHash) return undefined
  if (rehashed !== undefined) await saveRehash(tx, userId, passwordHash, rehashed)
  const proof = { userId, rsn, acr: ACR_PASSWORD, amr: ['pwd'] }
  return afterFirstFactor(tx, identity, proof, visit, rehashed ?? passwordHash)
}
