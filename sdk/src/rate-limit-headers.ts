/**
 * `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what the limits are, and what is left of
 * them, as structured fields (RFC 9651). Put them on every answer of a route, refused or not.
 */

/** A limit as an answer of the server names it. */
export interface LimitState {
  readonly name: string
  readonly type: 'rate' | 'quota'
  readonly limit: number
  readonly windowSeconds?: number | undefined
  readonly period?: 'day' | 'month' | undefined
  readonly remaining: number
  /** Until it is whole again; undefined where that is not known, as of a slice of a limit. */
  readonly resetSeconds: number | undefined
}

const DAY_SECONDS = 86_400
/** A month has no fixed length; the longest promises no more than there is. */
const PERIODS = { day: DAY_SECONDS, month: 31 * DAY_SECONDS } as const

/** Empty where there are no limits. Names in lower case. */
export function rateLimitHeaders(limits: readonly LimitState[]): Readonly<Record<string, string>> {
  if (limits.length === 0) return {}
  const names = unique(limits)
  return {
    'ratelimit-policy': limits
      .map((state, index) => `${quoted(names[index] as string)};q=${state.limit};w=${windowOf(state)}`)
      .join(', '),
    ratelimit: limits
      .map(
        ({ remaining, resetSeconds }, index) =>
          `${quoted(names[index] as string)};r=${integer(remaining)}` +
          (resetSeconds === undefined ? '' : `;t=${integer(resetSeconds)}`),
      )
      .join(', '),
  }
}

/** A key's and its tenant's limit may have one name; in the header each policy needs its own. */
function unique(limits: readonly LimitState[]): string[] {
  const seen = new Map<string, number>()
  return limits.map(({ name }) => {
    const count = (seen.get(name) ?? 0) + 1
    seen.set(name, count)
    return count === 1 ? name : `${name}-${count}`
  })
}

function windowOf({ windowSeconds, period }: LimitState): number {
  return period === undefined ? integer(windowSeconds ?? 1) : PERIODS[period]
}

/** RFC 9651, section 3.3.1: at most 15 digits; these fields take none below zero. */
function integer(value: number): number {
  return Math.min(Math.max(0, Math.ceil(value)), 999_999_999_999_999)
}

/** RFC 9651, section 3.3.3. */
function quoted(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
