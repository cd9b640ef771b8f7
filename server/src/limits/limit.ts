/**
 * One named limit: a rate, which refills steadily up to its burst, or a quota, which is whole again at the start of
 * each day or month (UTC). What is absurd is refused here, so that no counter has to think of it.
 */
import { invalid } from '../kernel/index.ts'

export interface RateLimit {
  readonly type: 'rate'
  readonly name: string
  /** So many in each window, on average. */
  readonly limit: number
  readonly windowSeconds: number
  /** So many at once: a bucket never holds more. */
  readonly burst: number
  readonly enforcement: Enforcement
}

export interface QuotaLimit {
  readonly type: 'quota'
  readonly name: string
  readonly limit: number
  readonly period: Period
  readonly enforcement: Enforcement
}

export type Limit = RateLimit | QuotaLimit

export const PERIODS = ['day', 'month'] as const
export type Period = (typeof PERIODS)[number]

/** `strict`: counted at the server. `leased`: verifiers hold slices of it and count by themselves. */
export const ENFORCEMENTS = ['strict', 'leased'] as const
export type Enforcement = (typeof ENFORCEMENTS)[number]

export const MOST_LIMITS = 8
export const LARGEST_LIMIT = 1_000_000_000
export const LONGEST_WINDOW_SECONDS = 86_400
export const LARGEST_COST = 1_000_000

/** What the schema of the route cannot say. */
export function checkLimits(limits: readonly Limit[]): void {
  const names = new Set<string>()
  for (const [index, { name }] of limits.entries()) {
    if (names.has(name)) throw invalid(`/limits/${index}/name`, `There are two limits named "${name}".`)
    names.add(name)
  }
}

/** Tokens that come back in a millisecond. */
export function perMs({ limit, windowSeconds }: RateLimit): number {
  return limit / (windowSeconds * 1000)
}

/** The period of the moment, by name, and when the next one begins (Unix milliseconds). */
export function periodAt(
  period: Period,
  nowMs: number,
): { readonly name: string; readonly endsAtMs: number } {
  const now = new Date(nowMs)
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()]
  const text = now.toISOString()
  return period === 'day'
    ? { name: text.slice(0, 10), endsAtMs: Date.UTC(year, month, day + 1) }
    : { name: text.slice(0, 7), endsAtMs: Date.UTC(year, month + 1, 1) }
}
