/** A session: one browser in which a user has signed in. */

/** An idle session ends after 12 hours, any session after 7 days (NIST SP 800-63B-4, section 2.1.3 allows 30 at AAL1). */
export const IDLE_MS = 12 * 3_600_000
export const ABSOLUTE_MS = 7 * 86_400_000
/** More than these of one user: the oldest ends. */
export const MOST_SESSIONS = 50

export interface Session {
  readonly id: string
  readonly userId: string
  /** The feed's position that was read before the sign-in was checked: the session is dead under a newer floor. */
  readonly rsn: number
  readonly authTimeMs: number
  readonly acr: string
  /** RFC 8176. */
  readonly amr: readonly string[]
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** Coarse, and up to a minute old. */
  readonly lastUsedAtMs: number
  readonly lastUsedNetwork: string
  readonly createdNetwork: string
  /** As the browser said, cut off. */
  readonly userAgent: string
}

/** When the session ends if nobody uses it. */
export function idleEndMs(session: Pick<Session, 'lastUsedAtMs' | 'expiresAtMs'>): number {
  return Math.min(session.lastUsedAtMs + IDLE_MS, session.expiresAtMs)
}
