/**
 * The second factor of a sign-in whose first was right: a one-time code or a recovery code, against a ticket that only
 * this browser holds. A code works once; a ticket takes five tries; a hundred wrong codes in a row, from wherever, and
 * no code is taken until a recovery code or an operator says otherwise (NIST SP 800-63B-4, section 3.2.2).
 */
import type { Transaction } from '../storage/index.ts'
import { ACR_TWO_FACTORS } from './acr.ts'
import { passwordMark } from './first-factor.ts'
import type { IdentityContext } from './identity-context.ts'
import { takeCode, type TakenCode } from './one-time-codes/take-code.ts'
import { type OpenedSession, openSession, type Visit } from './open-session.ts'
import { noteSignIn, OVER, type SignInOutcome, throttled, WRONG } from './sign-in-outcome.ts'
import { findTicket, type Ticket, tryTicket } from './tickets/tickets.ts'
import { lockPassword, selectUser } from './user-store.ts'

const MOST_TRIES = 5

export interface SecondFactorInput extends Visit {
  readonly ticket: string
  readonly binding: string
  /** As it was typed: six digits, or a recovery code. */
  readonly code: string
}

export async function secondFactor(
  identity: IdentityContext,
  { ticket: secret, binding, code, ...visit }: SecondFactorInput,
): Promise<SignInOutcome> {
  const { storage, changes } = identity
  const { ip } = visit
  const presented = { secret, binding }
  const before = await findTicket(storage, changes.clock, 'second_factor', presented)
  const user = before?.userId && (await selectUser(storage, before.userId))
  if (!user) return OVER
  const retryAfterSeconds = throttled(identity, ip, `code ${user.id}`)
  if (retryAfterSeconds > 0) {
    noteSignIn(identity, ip, 'throttled', user.id)
    return { signedIn: false, refusal: 'throttled', retryAfterSeconds }
  }

  const { opened, taken, last } = await storage.write(async (tx) => {
    const outcome: { opened?: OpenedSession; taken?: TakenCode | undefined; last?: boolean } = {}
    const ticket = await tryTicket(
      tx,
      changes.clock,
      'second_factor',
      presented,
      MOST_TRIES,
      async (held) => {
        if (!(await isStillGood(tx, user.id, held))) return true
        outcome.taken = await takeCode(tx, identity, user.id, code)
        if (outcome.taken === undefined) return false
        const first = (held.data['amr'] ?? []) as string[]
        const amr = outcome.taken === 'otp' ? [...first, 'otp', 'mfa'] : [...first, 'mfa']
        const proof = { userId: user.id, rsn: Number(held.data['rsn']), acr: ACR_TWO_FACTORS, amr }
        outcome.opened = await openSession(tx, changes, proof, visit)
        return true
      },
    )
    if (!ticket || ticket.tries + 1 >= MOST_TRIES) outcome.last = true
    return outcome
  })
  if (!opened) {
    noteSignIn(identity, ip, 'wrong_code', user.id)
    return taken !== undefined || last ? OVER : WRONG
  }
  noteSignIn(identity, ip, taken === 'recovery' ? 'recovery_code' : 'signed_in', user.id)
  return { signedIn: true, user, ...opened }
}

/** False when the user was disabled, or has got another password since. */
async function isStillGood(tx: Transaction, userId: string, ticket: Ticket): Promise<boolean> {
  const current = await lockPassword(tx, userId)
  const mark = ticket.data['password'] ?? null
  return (
    current !== undefined &&
    !current.disabled &&
    (mark === null || passwordMark(current.passwordHash) === mark)
  )
}
