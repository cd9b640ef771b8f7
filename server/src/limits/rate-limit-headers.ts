/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what the limits are, and what is left of
 * them, as structured fields (RFC 9651).
 */
import type { LimitState } from './decide.ts'
import type { Limit } from './limit.ts'

const DAY_SECONDS = 86_400
/** A month has no fixed length; the longest promises no more than there is. */
const PERIODS = { day: DAY_SECONDS, month: 31 * DAY_SECONDS } as const

/** Names and values in turn; empty where there are no limits. A limit's name needs no quoting. */
export function rateLimitHeaders(states: readonly LimitState[]): string[] {
  if (states.length === 0) return []
  const names = unique(states)
  const policies = states.map(
    ({ bound: { limit } }, index) => `"${names[index]}";q=${limit.limit};w=${windowOf(limit)}`,
  )
  const levels = states.map(
    ({ remaining, resetSeconds }, index) => `"${names[index]}";r=${remaining};t=${resetSeconds}`,
  )
  return ['RateLimit-Policy', policies.join(', '), 'RateLimit', levels.join(', ')]
}

/** A key's and its tenant's limit may have one name; in the header each policy needs its own. */
function unique(states: readonly LimitState[]): string[] {
  const seen = new Map<string, number>()
  return states.map(({ bound: { limit } }) => {
    const count = (seen.get(limit.name) ?? 0) + 1
    seen.set(limit.name, count)
    return count === 1 ? limit.name : `${limit.name}-${count}`
  })
}

function windowOf(limit: Limit): number {
  return limit.type === 'rate' ? Math.ceil(limit.windowSeconds) : PERIODS[limit.period]
}
