/**
 * Refreshes a session once, however many of its requests want that at the same time: a refresh token is good for one use,
 * and a second one would end the grant (RFC 9700, section 4.14.2). The outcome is kept for some seconds for requests that
 * were sent before the browser had the new cookie. Across processes Postern's own grace does the same: a client that
 * authenticates gets the very same answer again within ten seconds.
 */
import { BoundedCache } from '../bounded-cache.ts'
import type { Clock } from '../clock.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import { refreshedSession, type Session } from './session.ts'

/** `ended`: Postern gives this session no more tokens. `unavailable`: nobody could say. */
export type Refreshed = Session | 'ended' | 'unavailable'

export interface Refresher {
  refresh(session: Session): Promise<Refreshed>
}

const KEPT_MS = 10_000
const MOST_KEPT = 10_000

export function createRefresher(server: AuthorizationServer, clock: Clock): Refresher {
  const flights = new BoundedCache<Flight>(MOST_KEPT)

  async function fly(flight: Partial<Flight>, session: Session, refreshToken: string): Promise<Refreshed> {
    const refreshed = await redeem(server, session, refreshToken, clock)
    flight.untilMs = refreshed === 'unavailable' ? 0 : clock.monotonicMs() + KEPT_MS
    clock.after(KEPT_MS, () => {
      if (flights.get(refreshToken) === flight) flights.delete(refreshToken)
    })
    return refreshed
  }

  return {
    refresh(session) {
      const { refreshToken } = session
      if (refreshToken === undefined) return Promise.resolve('ended')
      const known = flights.get(refreshToken)
      if (known && clock.monotonicMs() < known.untilMs) return known.outcome
      const flight: Partial<Flight> = { untilMs: Infinity }
      const outcome = fly(flight, session, refreshToken)
      flights.set(refreshToken, Object.assign(flight, { outcome }) as Flight)
      return outcome
    },
  }
}

interface Flight {
  readonly outcome: Promise<Refreshed>
  untilMs: number
}

async function redeem(
  server: AuthorizationServer,
  session: Session,
  refreshToken: string,
  clock: Clock,
): Promise<Refreshed> {
  try {
    return refreshedSession(session, await server.refresh(refreshToken), clock.nowMs())
  } catch (error) {
    return isInvalidGrant(error) ? 'ended' : 'unavailable'
  }
}

/** RFC 6749, section 5.2: the token is used up, has ended or was revoked. All else may be better the next time. */
function isInvalidGrant(error: unknown): boolean {
  return (error as { error?: unknown } | null)?.error === 'invalid_grant'
}
