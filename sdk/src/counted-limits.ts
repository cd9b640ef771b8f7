/** The limits of a credential, as the server's last answer told them. */
import type { LeasableLimit } from './leases.ts'
import type { LimitState } from './rate-limit-headers.ts'

export interface CountedLimit extends LimitState, LeasableLimit {}

/** One list for all credentials that have none. */
export const NO_LIMITS: readonly CountedLimit[] = []

/** `limits` with what `newer` says of those that it names; undefined when it names another limit. */
export function withStates(
  limits: readonly CountedLimit[],
  newer: readonly CountedLimit[],
): readonly CountedLimit[] | undefined {
  const byBucket = new Map(newer.map((state) => [state.bucket, state]))
  const updated = limits.map((limit) => {
    const state = byBucket.get(limit.bucket)
    byBucket.delete(limit.bucket)
    return state ?? limit
  })
  return byBucket.size === 0 ? updated : undefined
}
