/**
 * Turning one-time codes on and off, and new recovery codes. What changes how somebody signs in ends the sessions of
 * before, but for the one in which it is done: those were begun with less.
 */
import { type Caller, type ChangeMaker, notFound, PosternError } from '../../kernel/index.ts'
import type { Changes } from '../../revocation/index.ts'
import type { Storage, Transaction } from '../../storage/index.ts'
import { lockedUser } from '../change-users.ts'
import { endOtherSessions } from '../end-other-sessions.ts'
import type { IdentityContext } from '../identity-context.ts'
import { getUser } from '../read-users.ts'
import { deleteTicketsOf } from '../tickets/ticket-store.ts'
import { lockUser } from '../user-store.ts'
import {
  deleteOneTimeCodes,
  hasOneTimeCodes,
  putOneTimeCodes,
  replaceRecoveryCodes,
  type SecondFactorState,
  selectSecondFactor,
} from './code-store.ts'
import { newRecoveryCodes, recoveryCodeHash } from './recovery-codes.ts'
import { stepOfCode } from './totp.ts'

/** Whose, and in which session it is done. */
export interface Owner {
  readonly userId: string
  /** Goes on while the others end. */
  readonly keep: string | undefined
}

/**
 * Answers the recovery codes, which are nowhere else; undefined when `code` is not of this secret. A secret that was
 * there before is replaced.
 */
export async function enableOneTimeCodes(
  tx: Transaction,
  { changes, codeSealer }: Pick<IdentityContext, 'changes' | 'codeSealer'>,
  by: ChangeMaker,
  { userId, keep }: Owner,
  { secret, code }: { readonly secret: Uint8Array; readonly code: string },
): Promise<readonly string[] | undefined> {
  const nowMs = changes.clock.nowMs()
  const lastStep = stepOfCode(secret, code.replace(/\s/g, ''), { nowMs, lastStep: 0 })
  if (lastStep === undefined) return undefined
  if (!(await lockUser(tx, userId, 'update'))) throw notFound('user')
  await putOneTimeCodes(tx, userId, { sealedSecret: codeSealer.seal(userId, secret), lastStep, nowMs })
  const codes = await writeRecoveryCodes(tx, userId)
  record(tx, changes, by, userId, 'second_factor.enabled')
  await deleteTicketsOf(tx, userId)
  await endOtherSessions(tx, changes, by, { userId, keep, reason: 'second factor enabled' })
  return codes
}

/** Throws `not_found` when there is none, `conflict` while the password is too short to stand alone. */
export async function disableOneTimeCodes(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  { userId, keep }: Owner,
): Promise<void> {
  const user = await lockUser(tx, userId, 'update')
  if (!user) throw notFound('user')
  if (user.passwordShort)
    throw new PosternError('conflict', 'The password is too short to stand alone: set a longer one first.')
  if (!(await deleteOneTimeCodes(tx, userId))) throw notFound('second factor')
  record(tx, changes, by, userId, 'second_factor.disabled')
  await deleteTicketsOf(tx, userId)
  await endOtherSessions(tx, changes, by, { userId, keep, reason: 'second factor disabled' })
}

/** Ten new ones; none of before works any more. Throws `not_found` without a second factor. */
export async function renewRecoveryCodes(
  tx: Transaction,
  changes: Changes,
  by: ChangeMaker,
  userId: string,
): Promise<readonly string[]> {
  if (!(await lockUser(tx, userId, 'update'))) throw notFound('user')
  if (!(await hasOneTimeCodes(tx, userId))) throw notFound('second factor')
  const codes = await writeRecoveryCodes(tx, userId)
  record(tx, changes, by, userId, 'recovery_codes.renewed')
  return codes
}

/** For operators. */
export async function readSecondFactor(
  storage: Storage,
  caller: Caller,
  userId: string,
): Promise<SecondFactorState> {
  await getUser(storage, caller, userId)
  const state = await selectSecondFactor(storage, userId)
  if (!state) throw notFound('second factor of this user')
  return state
}

/** An operator takes the second factor away from somebody who lost it; all sessions end. Throws like disabling it. */
export async function resetSecondFactor(
  tx: Transaction,
  changes: Changes,
  caller: Caller,
  userId: string,
): Promise<void> {
  await lockedUser(tx, caller, userId)
  await disableOneTimeCodes(tx, changes, caller, { userId, keep: undefined })
}

async function writeRecoveryCodes(tx: Transaction, userId: string): Promise<readonly string[]> {
  const codes = newRecoveryCodes()
  const hashes = codes.map((code) => recoveryCodeHash(userId, code)).filter((hash) => hash !== undefined)
  await replaceRecoveryCodes(tx, userId, hashes)
  return codes
}

function record(tx: Transaction, changes: Changes, by: ChangeMaker, userId: string, action: string): void {
  changes.record(tx, by, { action, tenant: null, target: { type: 'user', id: userId }, feed: null })
}
