/** What comes of an attempt to sign in, and how it is noted and held back. */
import { createHash } from 'node:crypto'
import { coarseNetwork, limitNetwork } from '../kernel/index.ts'
import type { IdentityContext } from './identity-context.ts'
import type { OpenedSession } from './open-session.ts'
import type { User } from './user.ts'

export type SignInOutcome =
  | ({ readonly signedIn: true; readonly user: User } & OpenedSession)
  | { readonly signedIn: false; readonly refusal: 'wrong' }
  | { readonly signedIn: false; readonly refusal: 'throttled'; readonly retryAfterSeconds: number }
  /** The first factor was right; `ticket` is for this browser's second one, and no session. */
  | { readonly signedIn: false; readonly refusal: 'second_factor'; readonly ticket: string }
  /** The ticket is over, used, tried too often, or another browser's: the first factor has to be proved again. */
  | { readonly signedIn: false; readonly refusal: 'over' }

export const WRONG = { signedIn: false, refusal: 'wrong' } as const
export const OVER = { signedIn: false, refusal: 'over' } as const

/**
 * Seconds to wait, or 0. By account and network, so that a stranger's guesses hold up nobody but that stranger's network;
 * and by network, so that one password is not tried on all accounts. An account that does not exist has its bucket like
 * any other. Without `account` only the network counts.
 */
export function throttled({ throttles }: IdentityContext, ip: string, account?: string): number {
  const network = limitNetwork(ip)
  const byNetwork = throttles.network.take(network)
  if (byNetwork > 0 || account === undefined) return byNetwork
  const name = createHash('sha256').update(account).digest('base64url')
  return throttles.account.take(`${name} ${network}`)
}

/** Sign-ins and refusals are counted in the activity log, never written into the audit chain (decision 006). */
export function noteSignIn({ activity }: IdentityContext, ip: string, code: string, userId?: string): void {
  activity.record({
    kind: 'sign_in',
    code,
    route: '/sign-in',
    network: coarseNetwork(ip),
    credential: userId,
  })
}
