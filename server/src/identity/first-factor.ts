/** After the first factor: a session, or the question for the second where the user has one. */
import { createHash } from 'node:crypto'
import type { Transaction } from '../storage/index.ts'
import type { IdentityContext } from './identity-context.ts'
import { hasOneTimeCodes } from './one-time-codes/code-store.ts'
import { type OpenedSession, openSession, type Proof, type Visit } from './open-session.ts'
import { issueTicket } from './tickets/tickets.ts'

/** How long somebody may look for the other device. */
const SECOND_FACTOR_MS = 10 * 60_000

/** The user is locked, and may sign in. `binding`: what binds the browser; `passwordHash`: the one that matched. */
export async function afterFirstFactor(
  tx: Transaction,
  { changes }: IdentityContext,
  proof: Proof,
  visit: Visit & { readonly binding: string },
  passwordHash: string | null = null,
): Promise<OpenedSession | { readonly ticket: string }> {
  if (!(await hasOneTimeCodes(tx, proof.userId))) return openSession(tx, changes, proof, visit)
  const ticket = await issueTicket(tx, changes.clock, 'second_factor', {
    binding: visit.binding,
    userId: proof.userId,
    data: { rsn: proof.rsn, amr: proof.amr, password: passwordMark(passwordHash) },
    lifetimeMs: SECOND_FACTOR_MS,
  })
  return { ticket }
}

/** Says whether the password is still the one that was checked, and nothing else about it. */
export function passwordMark(passwordHash: string | null): string | null {
  return passwordHash === null ? null : createHash('sha256').update(passwordHash).digest('base64url')
}
